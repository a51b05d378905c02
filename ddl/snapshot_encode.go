package ddl

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
)

// encodeCompact writes v as encoding/json would, without the fields of structs that are zero: most of a relation is. A
// slice that is empty but not nil is written (an ACL means something by that), and so is every element of a list or
// map. What json.Unmarshal makes of it equals v.
func encodeCompact(b *bytes.Buffer, v any) { compact(b, reflect.ValueOf(v)) }

func compact(b *bytes.Buffer, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("null")
			return
		}
		compact(b, v.Elem())
	case reflect.Struct:
		b.WriteByte('{')
		compactFields(b, v, b.Len())
		b.WriteByte('}')
	case reflect.Slice:
		if v.IsNil() {
			b.WriteString("null")
			return
		}
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteByte(',')
			}
			compact(b, v.Index(i))
		}
		b.WriteByte(']')
	default:
		compactLeaf(b, v)
	}
}

// compactFields writes the fields of a struct, those of embedded ones among them, after what stands from start on.
func compactFields(b *bytes.Buffer, v reflect.Value, start int) {
	for _, f := range reflect.VisibleFields(v.Type()) {
		if !f.IsExported() || f.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		field := v.FieldByIndex(f.Index)
		if name == "-" || field.IsZero() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if b.Len() > start {
			b.WriteByte(',')
		}
		compactLeaf(b, reflect.ValueOf(name))
		b.WriteByte(':')
		compact(b, field)
	}
}

func compactLeaf(b *bytes.Buffer, v reflect.Value) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v.Interface()) // plain data into memory: neither can fail
	b.Truncate(b.Len() - 1)       // its newline
}
