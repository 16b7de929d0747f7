package server

import (
	"encoding/binary"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/net/transport"
)

// Body is an answer without its header. kmsg's responses are Bodies.
type Body interface {
	// AppendTo appends the encoded answer to dst.
	AppendTo(dst []byte) []byte
}

// Streamed is a Body whose bytes lie partly in files. AppendTo is not called.
type Streamed interface {
	Body
	// Chunks are the parts of the answer in order; the server calls it once.
	Chunks() []Chunk
	// Verify says that the bytes read from files are still those that the
	// answer means. It is asked before the last of them leave; if not, the
	// connection is closed with the answer cut short.
	Verify() bool
	// Sent is called once when the chunks are sent, or will never be.
	Sent()
}

// Deferred is a Body that is not there yet. It completes a Slot at once; when
// its turn has come, the connection's writer waits for what it stands for.
type Deferred interface {
	Body
	// Await waits for the answer; false closes the connection.
	Await() (Body, bool)
}

// Chunk is a part of a streamed answer: Bytes, or N bytes of File from Off.
type Chunk struct {
	Bytes []byte
	File  vfs.File
	Off   int64
	N     int64
}

func (c Chunk) size() int64 {
	if c.File != nil {
		return c.N
	}
	return int64(len(c.Bytes))
}

// answer is a Body with what its header needs.
type answer struct {
	body          Body // nil: nothing is sent (Produce with acks=0)
	correlationID int32
	flexible      bool // header with tagged fields
	disconnect    bool // close the connection instead of answering
}

const (
	keyProduce                 = 0
	keyDurableReport           = kafka.KeyDurableReport
	keyMetadata                = 3
	keyAPIVersions             = 18
	keyDescribeConfigs         = 32
	keyDescribeLogDirs         = 35
	keyDescribeTopicPartitions = 75
)

func (r *Request) answer(body Body) answer {
	return answer{
		body:          body,
		correlationID: r.CorrelationID,
		// ApiVersions answers keep the first header form at every version, so
		// that a client that does not know the version can read them.
		flexible: r.Flexible && r.Key != keyAPIVersions,
	}
}

// appendFrame appends the whole frame of an answer that is not streamed.
func (a answer) appendFrame(dst []byte) []byte {
	start := len(dst)
	dst = a.appendHeader(append(dst, 0, 0, 0, 0))
	dst = a.body.AppendTo(dst)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

func (a answer) appendHeader(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(a.correlationID))
	if a.flexible {
		dst = append(dst, 0)
	}
	return dst
}

const (
	// sendFileBytesMin: smaller ranges are read and sent with their neighbours.
	sendFileBytesMin = 32 << 10
	// answerBufferBytesMax bounds what a connection keeps for encoding answers.
	answerBufferBytesMax = 16 << 10
	// gatherBytesMax bounds the small chunks of a streamed answer that are
	// gathered into one write.
	gatherBytesMax = 64 << 10
)

// sendStreamed writes a streamed answer: small chunks are gathered into one
// write, large file ranges go by SendFile.
func sendStreamed(tc transport.Conn, a answer, s Streamed, buf []byte) (rest []byte, sent int64, err error) {
	defer s.Sent()
	chunks := s.Chunks()
	buf = a.appendHeader(append(buf[:0], 0, 0, 0, 0))
	size := int64(len(buf)) - 4
	for _, c := range chunks {
		size += c.size()
	}
	binary.BigEndian.PutUint32(buf, uint32(size))
	flush := func() error {
		if len(buf) == 0 {
			return nil
		}
		_, err := tc.Write(buf)
		buf = buf[:0]
		return err
	}
	for _, c := range chunks {
		switch {
		case c.File == nil:
			buf = append(buf, c.Bytes...)
		case c.N >= sendFileBytesMin:
			if err := flush(); err != nil {
				return buf, 0, err
			}
			if _, err := tc.SendFile(c.File, c.Off, c.N); err != nil {
				return buf, 0, err
			}
		default:
			if len(buf) >= gatherBytesMax {
				if err := flush(); err != nil {
					return buf, 0, err
				}
			}
			old := len(buf)
			buf = append(buf, make([]byte, c.N)...)
			if n, err := c.File.ReadAt(buf[old:], c.Off); n < int(c.N) {
				_ = err // the range is gone: a truncation came between plan and sending
				return buf[:0], 0, transport.ErrShortFile
			}
		}
	}
	if !s.Verify() {
		return buf[:0], 0, transport.ErrShortFile
	}
	if err := flush(); err != nil {
		return buf, 0, err
	}
	return buf, size + 4, nil
}
