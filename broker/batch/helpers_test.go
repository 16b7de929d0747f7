package batch

import "github.com/klauspost/compress/s2"

func encodeRawSnappy(b []byte) []byte { return s2.EncodeSnappy(nil, b) }
