package demo

import (
	"bytes"
	_ "embed"
	"slices"
	"strings"

	"candor/client/figures"
)

// ProviderReports are the real figures that the demo brings along; data/README.md says where they are from.
//
//go:embed data/provider-reports.csv
var ProviderReports []byte

// ProviderSource is where ProviderReports are from, in one line.
const ProviderSource = "National Center for Missing & Exploited Children (NCMEC), CyberTipline Reports by Electronic Service Providers (ESP), yearly lists 2019 to 2023"

// PublishedTotals are the totals that the lists themselves state, by year.
var PublishedTotals = map[string]int64{"2019": 16836694, "2020": 21447786, "2021": 29157083, "2022": 31802525, "2023": 35944826}

// metaServices are the services of one owner that the lists name on one line until 2020 and on three from 2021.
var metaServices = []string{"Facebook", "Instagram", "Instagram, Inc.", "WhatsApp", "WhatsApp Inc."}

const metaName = "Meta (Facebook, Instagram, WhatsApp)"

// A provider is an organisation of a yearly list. One owner counts once.
type provider struct {
	id, name string
	reports  int64
}

// providers reads the list of a year, in its order, with the services of the largest owner added up.
func providers(year string) ([]provider, error) {
	table, err := figures.ReadTidy(bytes.NewReader(ProviderReports), figures.TidyOptions{File: "the built-in figures", Period: year})
	if err != nil {
		return nil, err
	}
	var list []provider
	for _, o := range table.Organisations {
		name := o.Name
		if slices.Contains(metaServices, name) {
			name = metaName
		}
		id := "p-" + strings.Trim(unfit.ReplaceAllString(strings.ToLower(name), "-"), "-")
		id = strings.Trim(id[:min(len(id), 40)], "-")
		if i := slices.IndexFunc(list, func(p provider) bool { return p.id == id }); i >= 0 && name == metaName {
			list[i].reports += o.Values[0]
			continue
		}
		list = append(list, provider{id, name, o.Values[0]})
	}
	return list, nil
}
