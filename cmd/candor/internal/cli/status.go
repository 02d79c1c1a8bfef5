package cli

import (
	"encoding/json"
	"net/http"
)

// statusHandler serves what a role does and what it waits for, as JSON.
func statusHandler(r role) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		status, err := r.Status(req.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(status) // the caller has gone if it fails
	})
}
