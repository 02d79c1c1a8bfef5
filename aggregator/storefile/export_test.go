package storefile

import (
	"candor/aggregator/store"
)

func EncodeRecord(r store.Record) (kind uint8, body []byte) {
	kind, body, err := encode(r)
	if err != nil {
		panic(err)
	}
	return kind, body
}

func DecodeRecord(kind uint8, body []byte) (store.Record, bool) { return decode(kind, body) }
