package config_test

import (
	"strings"
	"testing"

	"candor/cmd/candor/internal/config"
)

// A password in the URL of the store is used, and appears in no error, though errors quote the lines around a mistake.
func TestPasswordIsNotQuoted(t *testing.T) {
	for _, url := range []string{
		"postgres://candor:s3cret@db.example/leader",
		"postgresql://candor:s3c:ret@db.example/leader?sslmode=verify-full",
		"postgres://:s3cret@db.example/leader",
		"postgres://db.example/leader?user=candor&password=s3cret&sslmode=disable",
		"postgres://db.example/leader?sslpassword=s3cret",
		`"postgres://candor:s3cret@db.example/leader"`,
	} {
		text := strings.Replace(filled("leader"), "store: leader.db", "", 1)
		text = strings.Replace(text, "identity: identity.key", "store: "+url+"\nidentity: identity.key", 1)
		a, err := config.ParseAggregator("leader.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Trim(url, `"`); a.Store != want {
			t.Errorf("store %q, want %q", a.Store, want)
		}
		for old, mistake := range map[string]string{"identity: identity.key": "identitty: x", "hpke:": "hkpe:", "identity: identity.key\n": "identity: \"\"\n"} {
			broken := strings.Replace(text, "\n"+old, "\n"+mistake, 1)
			if _, err := config.ParseAggregator("leader.yaml", []byte(broken)); err == nil || strings.Contains(err.Error(), "s3c") || !strings.Contains(err.Error(), "db.example") {
				t.Errorf("%s, with %q: error %v shows the password, or does not quote the line", url, mistake, err)
			}
		}
	}
}
