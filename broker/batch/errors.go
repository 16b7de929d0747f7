package batch

import (
	"errors"
	"fmt"

	"github.com/moldau/moldau/broker/kafka"
)

// Classes of decoding errors, tested with errors.Is.
var (
	// ErrPartial: the bytes end before the batch does (a torn tail, or a fetch
	// answer that was cut at its size limit).
	ErrPartial = errors.New("record batch is not whole")
	// ErrCorrupt: the bytes are no valid record batch.
	ErrCorrupt = errors.New("record batch is corrupt")
	// ErrMagic: a message format other than version 2.
	ErrMagic = errors.New("unsupported message format")
	// ErrTooLarge: decompression would pass its limit.
	ErrTooLarge = errors.New("decompressed records are too large")
	// ErrCodec: an unknown compression codec.
	ErrCodec = errors.New("unknown compression codec")
)

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)
}

// RecordError blames one record of a refused batch (Produce answers of
// version 8 and later carry them).
type RecordError struct {
	Index   int32 // of the record in its batch, from 0
	Message string
}

// Error is why Validate refused a batch.
type Error struct {
	Code    kafka.ErrorCode
	Message string
	Records []RecordError // at most recordErrorsMax; nil where the batch as a whole is wrong
	cause   error
}

func (e *Error) Error() string { return e.Code.Name() + ": " + e.Message }

// Unwrap is the decoding error behind it, if there is one.
func (e *Error) Unwrap() error { return e.cause }

func refuse(code kafka.ErrorCode, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// refuseCause turns a decoding error into a refusal.
func refuseCause(code kafka.ErrorCode, cause error) *Error {
	return &Error{Code: code, Message: cause.Error(), cause: cause}
}
