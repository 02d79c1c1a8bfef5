// Package metric is the catalogue: which instruments a coalition has, which metrics and cells they are made of, what each means,
// which values are possible, and which rules hold between them. It reads and checks catalogue files, says how an
// instrument becomes the vectors that are shared, and judges a member's figures against the rules.
//
// A catalogue is a YAML file (JSON is YAML, too) with these members. Texts are quoted, ids are lower case with hyphens.
//
//	schema          always candor/catalogue/1
//	id, version     name of the catalogue and of this edition; title, status: for readers
//	conventions     follow_up_days, due_days, annual_quarter, history_factor
//	terms           words of the definitions: term, definition
//	bases, tiers,   what these words of an instrument or metric mean: id, definition;
//	availability,   tiers, states of availability and releases are fixed sets
//	releases
//	code_lists      id, kind (codes, buckets, bands or levels), title, unit, codes: exclusive and exhaustive. A code has a
//	                definition and, where it is a range of numbers, at_least and below, or exactly
//	frameworks      id, title, checked_against: what the metrics serve
//	instruments     id, name, purpose, period (quarter, year), basis, tier, respondents, metrics, rules, ratios
//	metrics         id, name, definition, type, codes, unit, max (largest value of a cell), privacy_unit, unit_max
//	                (largest change by one such unit), tier, release, magnitude (list of bands of the total), band_of
//	                (the ratio of which the choice is the band), public (largest published value), why, pitfall, frameworks
//	rules           rule, why: see Rule
//	ratios          id, name, numerator, denominator, note, frameworks: computed from two published sums, never contributed
//	checks          rule, kind (hard or soft), why: rules between instruments
//	outside_checks, left_out   what, why: for readers
//
// The package is on the lowest floor: it does no I/O and keeps no state. A Catalogue is not changed after it was read and is
// safe for concurrent use.
package metric
