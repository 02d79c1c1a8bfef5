package round

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"candor/crypto/sign"
)

// RequestHeader is the HTTP header by which a party of a round proves itself at the resources below /candor/: a member by its roster id, the secretariat as
// "secretariat". No password is needed beside the keys that the round document names.
const RequestHeader = "Candor-Signature"

// requestSkew is how far apart the clocks of caller and server may be.
const requestSkew = 5 * time.Minute

const requestLabel = "request"

// ErrRequest means that a request does not bear a party's signature.
var ErrRequest = errors.New("round: the request is not signed by a party of the round")

// SignRequest returns the value of RequestHeader for one request: who calls, when, and a signature over method and path. The path counts from "/candor/" on, so
// that a proxy may add or remove a prefix.
func SignRequest(key *sign.PrivateKey, who, method, path string, at time.Time) string {
	when := strconv.FormatInt(at.Unix(), 10)
	sig := key.Sign(requestLabel, []byte(who), []byte(method), []byte(candorPath(path)), []byte(when))
	return who + " " + when + " " + base64.RawURLEncoding.EncodeToString(sig)
}

// VerifyRequest returns who signed a request, given the header's value. keyOf returns the key of a party.
func VerifyRequest(header, method, path string, now time.Time, keyOf func(who string) (sign.PublicKey, bool)) (who string, err error) {
	fields := strings.Split(header, " ")
	if len(fields) != 3 {
		return "", ErrRequest
	}
	seconds, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return "", ErrRequest
	}
	if d := now.Sub(time.Unix(seconds, 0)); d > requestSkew || d < -requestSkew {
		return "", fmt.Errorf("%w: it was signed at another time than now; compare the clocks", ErrRequest)
	}
	sig, err := base64.RawURLEncoding.Strict().DecodeString(fields[2])
	if err != nil {
		return "", ErrRequest
	}
	key, ok := keyOf(fields[0])
	if !ok || key.Verify(sig, requestLabel, []byte(fields[0]), []byte(method), []byte(candorPath(path)), []byte(fields[1])) != nil {
		return "", ErrRequest
	}
	return fields[0], nil
}

func candorPath(path string) string {
	if i := strings.Index(path, "/candor/"); i >= 0 {
		return path[i:]
	}
	return path
}
