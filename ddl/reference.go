package ddl

import "strings"

// LinkReferences fills every ReferencedBy from the foreign keys of all relations.
func (s *Schema) LinkReferences() {
	for _, r := range s.Relations {
		r.ReferencedBy = nil
	}
	for _, n := range s.sortedRelations() {
		for _, c := range s.Relations[n].Constraints {
			if c.Kind != ForeignKey {
				continue
			}
			if to := s.Relations[c.RefTable]; to != nil {
				to.ReferencedBy = append(to.ReferencedBy, c)
			}
		}
	}
}

// ParseSearchPath splits a search_path as SHOW prints it and puts the user's name in the place of "$user".
func ParseSearchPath(setting, user string) []string {
	var out []string
	for i := 0; i < len(setting); {
		switch c := setting[i]; {
		case c == ' ' || c == ',' || c == '\t' || c == '\n':
			i++
		case c == '"':
			var b strings.Builder
			for i++; i < len(setting); i++ {
				if setting[i] == '"' {
					if i+1 < len(setting) && setting[i+1] == '"' {
						i++
					} else {
						break
					}
				}
				b.WriteByte(setting[i])
			}
			i++
			if b.Len() > 0 {
				out = append(out, b.String())
			}
		default:
			end := strings.IndexAny(setting[i:], ", \t\n")
			if end < 0 {
				end = len(setting) - i
			}
			out = append(out, strings.ToLower(setting[i:i+end]))
			i += end
		}
	}
	for i, p := range out {
		if p == "$user" {
			out[i] = user
		}
	}
	return out
}
