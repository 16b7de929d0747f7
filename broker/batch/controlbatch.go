package batch

// EncodeControl encodes a control batch of one record. opts says the base
// offset, the leader epoch and, for an end-transaction marker, the producer;
// codec and flags follow from the record.
func EncodeControl(opts BuilderOptions, timestamp int64, c Control) ([]byte, error) {
	opts.Control = true
	opts.Compression = Compression{}
	opts.Transactional = c.EndTxn != nil
	b := NewBuilder(opts)
	if err := b.Append(NewRecord{Timestamp: timestamp, Key: ControlKey(c.Type), Value: c.Value()}); err != nil {
		return nil, err
	}
	return b.Build(nil)
}
