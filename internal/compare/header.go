package compare

import (
	"maps"
	"mime"
	"slices"
	"strings"
)

// neverCounts are headers that tell of the connection, the server or this one answer, not of what is answered.
var neverCounts = map[string]bool{
	"Age": true, "Alt-Svc": true, "Connection": true, "Content-Encoding": true, "Content-Length": true, "Date": true, "Keep-Alive": true,
	"Proxy-Connection": true, "Server": true, "Server-Timing": true, "Traceparent": true,
	"Trailer": true, "Transfer-Encoding": true, "Via": true, "X-Powered-By": true, "X-Request-Id": true, "X-Runtime": true,
}

func counts(name string) bool { return !neverCounts[name] && !strings.HasPrefix(name, "Replank-") }

// lists are headers whose value is a set of words.
var lists = map[string]bool{
	"Accept-Ranges": true, "Access-Control-Allow-Headers": true, "Access-Control-Allow-Methods": true, "Access-Control-Expose-Headers": true,
	"Allow": true, "Cache-Control": true, "Vary": true,
}

// headers compares those that count. Of ETag only that there is one: each application computes its own.
func (d *differ) headers(old, new map[string][]string) {
	names := slices.Collect(maps.Keys(old))
	for name := range new {
		if _, ok := old[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if !counts(name) || slices.ContainsFunc(d.IgnoreHeaders, func(ignored string) bool { return strings.EqualFold(ignored, name) }) {
			continue
		}
		if name == "Set-Cookie" {
			d.cookies(old[name], new[name])
			continue
		}
		d.enter(Header)
		m := d.down(name)
		a, b := headerValue(name, old[name]), headerValue(name, new[name])
		_, inOld := old[name]
		_, inNew := new[name]
		d.strings(a, b, inOld, inNew)
		d.up(m)
	}
}

// strings compares two texts that may not be there.
func (d *differ) strings(old, new string, inOld, inNew bool) {
	switch {
	case inOld == inNew && old == new, d.noisy():
	case !inNew:
		d.differs(Missing, old, "")
	case !inOld:
		d.differs(Extra, "", new)
	default:
		d.differs(Value, old, new)
	}
}

func headerValue(name string, values []string) string {
	value := strings.Join(values, ", ")
	switch {
	case name == "Etag" && value != "":
		return "an ETag"
	case name == "Content-Type":
		if typ, parameters, err := mime.ParseMediaType(value); err == nil {
			if charset, ok := parameters["charset"]; ok {
				parameters["charset"] = strings.ToLower(charset)
			}
			if formatted := mime.FormatMediaType(typ, parameters); formatted != "" {
				return formatted
			}
		}
	case lists[name]:
		return sorted(strings.Split(value, ","), ", ")
	}
	return value
}

// sorted is a list of words that is a set.
func sorted(words []string, separator string) string {
	for i := range words {
		words[i] = strings.ToLower(strings.TrimSpace(words[i]))
	}
	slices.Sort(words)
	return strings.Join(slices.Compact(words), separator)
}

// cookies compares the names and attributes of cookies that are set.
func (d *differ) cookies(old, new []string) {
	a, b := cookieAttributes(old), cookieAttributes(new)
	names := slices.Collect(maps.Keys(a))
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		d.enter(Cookie)
		m := d.down(name)
		x, inOld := a[name]
		y, inNew := b[name]
		d.strings(x, y, inOld, inNew)
		d.up(m)
	}
}

// cookieAttributes are the attributes by the cookies' names. When it ends does not count, if it is said as a date: the two
// were not asked at the same moment.
func cookieAttributes(lines []string) map[string]string {
	all := map[string]string{}
	for _, line := range lines {
		cookie, rest, _ := strings.Cut(line, ";")
		name, _, _ := strings.Cut(cookie, "=")
		var attributes []string
		for attribute := range strings.SplitSeq(rest, ";") {
			key, value, some := strings.Cut(strings.TrimSpace(attribute), "=")
			switch key = strings.ToLower(strings.TrimSpace(key)); {
			case key == "":
				continue
			case key == "expires":
				attributes = append(attributes, "expires")
			case key == "path": // its case counts
				attributes = append(attributes, "path="+strings.TrimSpace(value))
			case some:
				attributes = append(attributes, key+"="+strings.ToLower(strings.TrimSpace(value)))
			default:
				attributes = append(attributes, key)
			}
		}
		slices.Sort(attributes)
		all[strings.TrimSpace(name)] = strings.Join(slices.Compact(attributes), "; ")
	}
	return all
}
