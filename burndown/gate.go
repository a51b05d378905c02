package burndown

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Gate is limits for a report: "max-legacy=120", "min-traffic=80%".
type Gate []limit

type limit struct {
	measure *measure
	value   float64
}

// Violation is a limit that does not hold, or of which nobody can say whether it holds.
type Violation struct {
	Limit string
	// Unknown: it may hold.
	Unknown bool
	// Message says the limit, the number and what it is the number of.
	Message string
}

// measure is a number of a report that has limits. between returns the least and the most that it can be; unknown says
// why those differ.
type measure struct {
	name, doc string
	percent   bool
	between   func(*Report) (low, high float64, unknown string)
}

var measures = []*measure{
	{"max-legacy", "routes that the legacy application answers", false, func(r *Report) (float64, float64, string) {
		return float64(r.Routes.Left), float64(r.Routes.Left + r.Routes.Unknown), fmt.Sprintf("of %s only a trial can tell", plural(r.Routes.Unknown, "route", "routes"))
	}},
	{"max-unknown", "routes of which only a trial can tell who has them", false, func(r *Report) (float64, float64, string) {
		return exactly(r.Routes.Unknown)
	}},
	{"max-stale", "routes left in the legacy application that nobody calls", false, func(r *Report) (float64, float64, string) {
		return float64(r.Stale.Routes), float64(r.Stale.Routes + r.Stale.Unknown),
			fmt.Sprintf("nobody has called %s, and requests are not counted for %d days yet", plural(r.Stale.Unknown, "route", "routes"), r.Days)
	}},
	{"max-touched", "routes left in the legacy application that people work on", false, func(r *Report) (float64, float64, string) {
		if r.Touched == nil {
			return 0, math.Inf(1), "git was not asked"
		}
		return exactly(*r.Touched)
	}},
	{"max-wrong-way", "ways from the legacy application to the modern one without a waiver", false, func(r *Report) (float64, float64, string) {
		if r.WrongWay == nil {
			return 0, math.Inf(1), "nobody has watched for them"
		}
		return exactly(r.WrongWay.Ways)
	}},
	{"min-ported", "share of the routes to be ported that are", true, func(r *Report) (float64, float64, string) {
		done := r.Routes.Done()
		if done.Of == 0 {
			return 100, 100, ""
		}
		low := *done.Percent()
		done.Part += int64(r.Routes.Unknown)
		return low, *done.Percent(), fmt.Sprintf("of %s only a trial can tell", plural(r.Routes.Unknown, "route", "routes"))
	}},
	{"min-traffic", "share of the requests that the modern application answers", true, func(r *Report) (float64, float64, string) {
		if r.Traffic == nil {
			return answered(Share{})
		}
		return answered(r.Traffic.All)
	}},
	{"min-writes", "share of the writes that the modern application answers", true, func(r *Report) (float64, float64, string) {
		if r.Traffic == nil {
			return answered(Share{})
		}
		return answered(r.Traffic.Writes)
	}},
}

func exactly(n int) (float64, float64, string) { return float64(n), float64(n), "" }

func answered(s Share) (float64, float64, string) {
	if p := s.Percent(); p != nil {
		return *p, *p, ""
	}
	return 0, 100, "none were counted"
}

// Limits describes the limits that a Gate knows, for the help of a command.
func Limits() string {
	var b strings.Builder
	for _, m := range measures {
		example := m.name + "=0"
		if m.percent {
			example = m.name + "=80%"
		}
		fmt.Fprintf(&b, "%-17s %s\n", example, m.doc)
	}
	return b.String()
}

// ParseGate reads limits, and says all that is wrong with them at once.
func ParseGate(expressions ...string) (Gate, error) {
	var g Gate
	var wrong []error
	for _, e := range expressions {
		l, err := parseLimit(e)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		g = append(g, l)
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("reading the limits: %w\nKnown are:\n%s", errors.Join(wrong...), strings.TrimRight(Limits(), "\n"))
	}
	return g, nil
}

func parseLimit(e string) (limit, error) {
	name, text, ok := strings.Cut(strings.TrimSpace(e), "=")
	for _, m := range measures {
		if m.name != name || !ok {
			continue
		}
		if m.percent {
			number, sign := strings.CutSuffix(text, "%")
			value, err := strconv.ParseFloat(number, 64)
			if !sign || err != nil || !(value >= 0 && value <= 100) {
				return limit{}, fmt.Errorf("%q: %q is no share between 0%% and 100%%", e, text)
			}
			return limit{m, value}, nil
		}
		value, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return limit{}, fmt.Errorf("%q: %q is no number of routes", e, text)
		}
		return limit{m, float64(value)}, nil
	}
	return limit{}, fmt.Errorf("%q is no limit that is known", e)
}

// Check returns every limit that the report violates, or may violate for all that is known.
func (g Gate) Check(r *Report) []Violation {
	var all []Violation
	for _, l := range g {
		low, high, unknown := l.measure.between(r)
		surely, maybe := low > l.value, high > l.value
		number := low
		if strings.HasPrefix(l.measure.name, "min-") {
			surely, maybe = high < l.value, low < l.value
			number = high
		}
		v := Violation{Limit: l.String()}
		switch {
		case surely:
			v.Message = fmt.Sprintf("%s: it is %s (%s)", v.Limit, l.show(number), l.measure.doc)
		case maybe:
			v.Unknown = true
			v.Message = fmt.Sprintf("%s: not known, %s (%s)", v.Limit, unknown, l.measure.doc)
		default:
			continue
		}
		all = append(all, v)
	}
	return all
}

func (l limit) String() string {
	text := strconv.FormatFloat(l.value, 'f', -1, 64)
	if l.measure.percent {
		text += "%"
	}
	return l.measure.name + "=" + text
}

// show writes a number so that it can be told from the limit that it is beyond.
func (l limit) show(n float64) string {
	if !l.measure.percent {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	digits := 1
	for digits < 5 && strconv.FormatFloat(n, 'f', digits, 64) == strconv.FormatFloat(l.value, 'f', digits, 64) {
		digits++
	}
	return strconv.FormatFloat(n, 'f', digits, 64) + "%"
}
