package ddl

import pg "github.com/pganalyze/pg_query_go/v6"

// ScriptStatement is one statement of a script that is only split, not parsed.
type ScriptStatement struct {
	SQL string // without comments before it and the semicolon
	// Words are its first words as tokens, in lower case: create user mapping.
	Words []string
}

// SplitScript splits a script into its statements by tokens alone, so that one which no parser knows yet does no harm.
func SplitScript(script string) ([]ScriptStatement, error) {
	s := &source{text: script, parsed: script}
	if err := s.scan(len(script)); err != nil {
		return nil, s.errorAt(s.errorOffset(err), err.Error())
	}
	var out []ScriptStatement
	for _, sp := range s.split() {
		st := ScriptStatement{SQL: script[s.toks[sp.start].start:s.toks[sp.end-1].end]}
		for i := sp.start; i < min(sp.end, sp.start+5) && s.kind(i) != pg.Token_SCONST; i++ {
			st.Words = append(st.Words, lowerASCII(script[s.toks[i].start:s.toks[i].end]))
		}
		out = append(out, st)
	}
	return out, nil
}
