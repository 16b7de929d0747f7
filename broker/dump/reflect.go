package dump

import (
	"fmt"
	"reflect"

	"github.com/moldau/moldau/broker/kafka"
)

// structOf is a struct (or pointer to one) as an object: exported fields in
// their order, under Kafka's names; fields for unknown tags only when set.
func structOf(v any) object {
	r := reflect.Indirect(reflect.ValueOf(v))
	o := object{}
	for i := range r.NumField() {
		f := r.Type().Field(i)
		if !f.IsExported() || f.Name == "Unknown" && r.Field(i).IsZero() {
			continue
		}
		o = append(o, field{kafkaName(f.Name), valueOf(r.Field(i))})
	}
	return o
}

// kafkaName is a Go name in the spelling of Kafka's schemas: BrokerID is
// brokerId, ISR isr, LastKnownELR lastKnownElr.
func kafkaName(s string) string {
	upper := func(i int) bool { return i < len(s) && s[i] >= 'A' && s[i] <= 'Z' }
	b := []byte(s)
	for i := range b {
		inside := i > 0 && upper(i-1) && (i+1 == len(s) || upper(i+1))
		if upper(i) && (i == 0 || inside) {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

func valueOf(v reflect.Value) any {
	switch {
	case v.Type() == reflect.TypeFor[kafka.UUID]():
		return v.Interface()
	case v.Type() == reflect.TypeFor[[]byte]():
		if v.IsNil() {
			return nil
		}
		return v.Bytes()
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return valueOf(v.Elem())
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		l := list{}
		for i := range v.Len() {
			l = append(l, valueOf(v.Index(i)))
		}
		return l
	case reflect.Struct:
		return structOf(v.Interface())
	case reflect.Bool:
		return v.Bool()
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Uint16, reflect.Uint32:
		return v.Uint()
	case reflect.Float64:
		return v.Float()
	case reflect.String:
		return v.String()
	}
	return fmt.Sprint(v)
}
