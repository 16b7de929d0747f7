package api

import (
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
)

// What is forwarded and finds no controller is answered with a code, at every
// version, for everything that the request asks about.
func TestFailedNamesTheCodeEverywhere(t *testing.T) {
	for _, r := range controllerKeys {
		for v := r.min; v <= r.max; v++ {
			req := kmsg.RequestForKey(r.key)
			req.SetVersion(v)
			asked := oneOfEach(reflect.ValueOf(req).Elem())
			resp := failed(req, kafka.ErrNotController, "nobody")
			again := req.ResponseKind()
			again.SetVersion(v)
			if err := again.ReadFrom(resp.AppendTo(nil)); err != nil {
				t.Errorf("%s v%d: %v", kmsg.NameForKey(r.key), v, err)
				continue
			}
			if n := codes(reflect.ValueOf(again).Elem()); n == 0 && asked {
				t.Errorf("%s v%d: the answer has no error code", kmsg.NameForKey(r.key), v)
			}
		}
	}
}

// oneOfEach gives every array of structures one element.
func oneOfEach(v reflect.Value) (any bool) {
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct {
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			oneOfEach(f.Index(0))
			any = true
		} else if f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Int32 {
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		}
	}
	return any
}

// codes counts the places that carry the code.
func codes(v reflect.Value) (n int) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case v.Type().Field(i).Name == "ErrorCode" && f.Int() == int64(kafka.ErrNotController):
			n++
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct:
			for j := range f.Len() {
				n += codes(f.Index(j))
			}
		}
	}
	return n
}
