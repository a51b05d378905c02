package compare

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// parseJSON reads one document; numbers stay as they are spelt.
func parseJSON(text string) (any, error) {
	var v any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("more than one document")
	}
	return v, nil
}

// writeJSON is compact, with the keys in order.
func writeJSON(v any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(fmt.Sprintf("compare: write what was read as JSON: %v", err)) // json.Number, too, is what the decoder took
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// json compares two values of JSON. The order of keys does not count, that of elements does.
func (d *differ) json(old, new any) {
	if d.noisy() {
		return
	}
	switch a := old.(type) {
	case map[string]any:
		if b, ok := new.(map[string]any); ok {
			d.objects(a, b)
			return
		}
	case []any:
		if b, ok := new.([]any); ok {
			d.arrays(a, b)
			return
		}
	case json.Number:
		if b, ok := new.(json.Number); ok {
			if a == b {
				return
			}
			kind := Value
			if sameNumber(string(a), string(b)) {
				kind = Spelling
			}
			d.differs(kind, string(a), string(b))
			return
		}
	default: // string, bool, nil
		if old == new {
			return
		}
	}
	kind := Value
	if typeOf(old) != typeOf(new) {
		kind = Type
	}
	d.differs(kind, writeJSON(old), writeJSON(new))
}

func typeOf(v any) string {
	switch v.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case json.Number:
		return "number"
	case string:
		return "string"
	case bool:
		return "boolean"
	}
	return "null"
}

func (d *differ) objects(old, new map[string]any) {
	keys := slices.Collect(maps.Keys(old))
	for key := range new {
		if _, ok := old[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		m := d.down(key)
		a, inOld := old[key]
		b, inNew := new[key]
		d.both(a, b, inOld, inNew)
		d.up(m)
	}
}

// arrays compares by position. Where an array differs with itself in its length, positions say nothing: the length is
// told as a difference of the array, so that all of it is noise then.
func (d *differ) arrays(old, new []any) {
	if len(old) != len(new) {
		kind := Missing
		if len(old) < len(new) {
			kind = Extra
		}
		d.differs(kind, plural(len(old)), plural(len(new)))
	}
	for i := range min(len(old), len(new)) {
		m := d.nth(i)
		d.json(old[i], new[i])
		d.up(m)
	}
}

func plural(n int) string {
	if n == 1 {
		return "1 element"
	}
	return strconv.Itoa(n) + " elements"
}

// both compares what one side may not have.
func (d *differ) both(old, new any, inOld, inNew bool) {
	switch {
	case inOld && inNew:
		d.json(old, new)
	case d.noisy():
	case inOld:
		d.differs(Missing, writeJSON(old), "")
	default:
		d.differs(Extra, "", writeJSON(new))
	}
}

// sameNumber reports whether two numbers of JSON are equal: exactly, however long they are, and without computing a
// power of ten: 1e999999999 is a number too.
func sameNumber(a, b string) bool {
	x, okX := decimalOf(a)
	y, okY := decimalOf(b)
	return okX && okY && x == y
}

// decimal is 0.digits · 10^exponent, without zeros at either end of the digits.
type decimal struct {
	negative bool
	digits   string
	exponent int64
}

func decimalOf(text string) (decimal, bool) {
	var d decimal
	text, d.negative = strings.CutPrefix(text, "-")
	mantissa, power := text, ""
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, power = text[:i], text[i+1:]
	}
	if power != "" {
		var err error
		if d.exponent, err = strconv.ParseInt(power, 10, 64); err != nil || d.exponent > math.MaxInt64/2 || d.exponent < math.MinInt64/2 {
			return decimal{}, false
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	d.exponent += int64(len(whole))
	d.digits = whole + fraction
	n := len(d.digits)
	d.digits = strings.TrimLeft(d.digits, "0")
	d.exponent -= int64(n - len(d.digits))
	d.digits = strings.TrimRight(d.digits, "0")
	if d.digits == "" {
		return decimal{}, true // -0 is 0
	}
	return d, true
}
