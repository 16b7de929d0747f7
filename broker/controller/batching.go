package controller

import "github.com/moldau/moldau/broker/metarecord"

// fits reports whether the records can be one batch.
func fits(records []metarecord.Record) bool {
	if len(records) > metarecord.BatchRecordsMax {
		return false
	}
	size := 0
	var sizer metarecord.Sizer
	for _, r := range records {
		if size += sizer.SizeOf(r); size > metarecord.BatchBytesMax {
			return false
		}
	}
	return true
}

// bracketed puts a change that is too large for one batch between the records
// of a metadata transaction, so that it still shows at once or never.
func bracketed(records []metarecord.Record) []metarecord.Record {
	if _, ok := records[0].(*metarecord.BeginTransaction); ok || fits(records) {
		return records
	}
	name := records[len(records)-1].Type().String()
	all := make([]metarecord.Record, 0, len(records)+2)
	all = append(all, &metarecord.BeginTransaction{Name: &name})
	all = append(all, records...)
	return append(all, &metarecord.EndTransaction{})
}
