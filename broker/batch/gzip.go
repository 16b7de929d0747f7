package batch

import (
	"github.com/klauspost/compress/gzip"
)

func (c *Codecs) decompressGzip(src []byte) error {
	c.src.Reset(src)
	if c.gunzip == nil {
		c.gunzip = new(gzip.Reader)
	}
	if err := c.gunzip.Reset(&c.src); err != nil {
		return corrupt("%v", err)
	}
	return c.readAllInto(c.gunzip)
}

// appendGzip maps level 0 to Kafka's default, -1.
func (c *Codecs) appendGzip(dst, src []byte, level int) ([]byte, error) {
	if level == 0 {
		level = gzip.DefaultCompression
	}
	c.out.b = dst
	w := c.gzip[level]
	if w == nil {
		var err error
		if w, err = gzip.NewWriterLevel(&c.out, level); err != nil {
			return nil, err
		}
		if c.gzip == nil {
			c.gzip = make(map[int]*gzip.Writer)
		}
		c.gzip[level] = w
	} else {
		w.Reset(&c.out)
	}
	_, err := w.Write(src)
	if err == nil {
		err = w.Close()
	}
	dst, c.out.b = c.out.b, nil
	return dst, err
}
