package oracle

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// A literal had a type, or took one from where it stood, and the parameter in its place in a normalised statement may
// have none ($1 + $2), or another one. The server says where it stumbles; there, types are tried until it goes on.

// Types that literals have, the most likely first.
var (
	anyTypes = []uint32{pgtype.Int4OID, pgtype.TextOID, pgtype.IntervalOID, pgtype.NumericOID, pgtype.TimestamptzOID, pgtype.DateOID,
		pgtype.BoolOID, pgtype.JSONBOID, pgtype.TextArrayOID, pgtype.Int4ArrayOID, pgtype.TimestampOID, pgtype.UUIDOID, pgtype.Float8OID, pgtype.JSONOID, pgtype.ByteaOID}
	timeTypes = []uint32{pgtype.IntervalOID, pgtype.Int4OID, pgtype.TimestamptzOID, pgtype.DateOID, pgtype.TimestampOID, pgtype.TextOID}
	textTypes = []uint32{pgtype.TextOID, pgtype.Int4OID, pgtype.NumericOID, pgtype.JSONBOID, pgtype.TextArrayOID, pgtype.BoolOID, pgtype.TimestamptzOID}
)

// mostTries bounds what one statement may cost; mostNear is how many parameters around an error are tried.
const (
	mostTries = 120
	mostNear  = 3
)

// retype looks for types of parameters with which a statement compiles. Where there are none, the result is the one
// that it was given.
func (p *preparer) retype(ctx context.Context, l *live, failed result) (result, error) {
	params := l.query.Params()
	const mostParams = 65535 // of the protocol
	if params == 0 || params > mostParams || !aboutTypes(failed.err.Code) {
		return failed, nil
	}
	types := make([]uint32, params)
	tries := 0
	r, err := p.one(ctx, l.query.SQL, types)
	for err == nil && r.err != nil && aboutTypes(r.err.Code) {
		var next result
		var better []uint32
		for _, n := range l.near(r.err, types) {
			for _, t := range candidates(r.err.Code, r.err.Message) {
				if tries++; tries > mostTries {
					return failed, nil
				}
				try := slices.Clone(types)
				try[n-1] = t
				if next, err = p.one(ctx, l.query.SQL, try); err != nil {
					return failed, err
				}
				if next.err == nil || further(r.err, next.err) {
					better = try
					break
				}
			}
			if better != nil {
				break
			}
		}
		if better == nil {
			return failed, nil
		}
		types, r = better, next
	}
	if err != nil || r.err != nil {
		return failed, err
	}
	l.types, l.guessed = types, true
	return r, nil
}

// undetermined is the parameter that the server says it finds no type for; such an error has no position.
func undetermined(err *pgconn.PgError) int {
	_, number, _ := strings.Cut(err.Message, "parameter $")
	n, _ := strconv.Atoi(number)
	return n
}

// further reports whether an error is about types and not at the place of the one before.
func further(was, is *pgconn.PgError) bool {
	if !aboutTypes(is.Code) {
		return false
	}
	return is.Position > was.Position || is.Position == 0 && undetermined(is) != undetermined(was)
}

// near are the parameters around an error that have no type yet.
func (l *live) near(err *pgconn.PgError, types []uint32) []int {
	near := l.query.Near(int(err.Position))
	if n := undetermined(err); n > 0 {
		near = []int{n}
	}
	near = slices.DeleteFunc(near, func(n int) bool { return n > len(types) || types[n-1] != 0 })
	return near[:min(len(near), mostNear)]
}

// told reports whether the type of a parameter was told to the server.
func (l *live) told(i int) bool { return i < len(l.types) && l.types[i] != 0 }

// aboutTypes are the errors that another type may heal.
func aboutTypes(code string) bool {
	switch code {
	case "42P18", // indeterminate_datatype
		"42725", // ambiguous_function, of operators too
		"42883", // undefined_function, of operators too
		"42804", // datatype_mismatch
		"42846", // cannot_coerce
		"42809", // wrong_object_type
		"42P08": // ambiguous_parameter
		return true
	}
	return false
}

func candidates(code, text string) []uint32 {
	switch {
	case strings.Contains(text, "time") || strings.Contains(text, "date"):
		return timeTypes
	case code == "42P18":
		return textTypes
	}
	return anyTypes
}
