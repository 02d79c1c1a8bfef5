package demo

import "candor/cmd/candor/internal/config"

// loadAddress returns the private address that an aggregator's configuration names.
func loadAddress(path string) (string, error) {
	cfg, err := config.LoadAggregator(path)
	if err != nil {
		return "", err
	}
	return cfg.PrivateListen, nil
}
