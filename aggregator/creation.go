package aggregator

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"

	"candor/schema/dap"
)

// chosenKey is the context key of an identifier that the peer chose.
type chosenKey struct{}

// WithChosenID returns a context for the creation of a resource whose identifier the peer chose. In DAP servers choose; peers that speak an earlier form
// create with PUT to the resource's own URL, and repeat that until it is answered.
func WithChosenID(ctx context.Context, id [16]byte) context.Context {
	return context.WithValue(ctx, chosenKey{}, id)
}

// ChosenID returns the identifier that the peer chose for what it creates, if it chose one.
func ChosenID(ctx context.Context) (id [16]byte, ok bool) {
	id, ok = ctx.Value(chosenKey{}).([16]byte)
	return id, ok
}

// CreationDigest returns what a creating request is recognised by when it is repeated: the digest of its content, and of the chosen identifier.
func CreationDigest(ctx context.Context, body []byte) [32]byte {
	digest := sha256.Sum256(body)
	if id, ok := ChosenID(ctx); ok {
		return sha256.Sum256(slices.Concat([]byte("candor/1 chosen id"), id[:], digest[:]))
	}
	return digest
}

// IDTaken returns the answer to a creation that conflicts with what is stored although it is no repetition: if the peer chose the identifier, it has chosen it
// for another request before. Else it returns err.
func IDTaken(ctx context.Context, err error) error {
	if _, ok := ChosenID(ctx); ok {
		return dap.NewStatusProblem(http.StatusConflict, "another request has created a resource with this identifier")
	}
	return err
}
