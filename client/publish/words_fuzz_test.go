package publish_test

import (
	"bytes"
	"testing"

	"candor/client/publish"
)

// What parses as the words of pages is written again as it was.
func FuzzParseWords(f *testing.F) {
	f.Add(publishedRound(f).bundle.Pages)
	f.Add([]byte(`{"format":"candor-pages/1"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		w, err := publish.ParseWords(text)
		if err != nil {
			return
		}
		again, err := publish.EncodeWords(w)
		if err != nil || !bytes.Equal(again, text) {
			t.Errorf("parsed and written again, it differs: %v", err)
		}
	})
}
