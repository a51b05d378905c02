package plan

import "github.com/replank/replank/ddl"

// comment goes back to the comment that the object has now, where the schema tells it.
func (c *compiler) comment(op ddl.Other, sql string) error {
	st := Step{Phase: Expand, Kind: Transaction, Title: title(sql), SQL: []string{sql}}
	old, known := c.commentNow(sql)
	back, err := ddl.CommentAs(sql, old)
	if known && err == nil {
		st.Reverse = []string{back}
	} else {
		st.Irreversible = "Replank does not know the former comment"
	}
	c.step(st)
	return nil
}

// commentNow finds the comment of what a COMMENT statement names.
func (c *compiler) commentNow(sql string) (text string, known bool) {
	kind, parts, ok := ddl.CommentTarget(sql)
	if !ok {
		return "", false
	}
	name := func(parts []string) ddl.Name {
		n := ddl.Name{Name: parts[len(parts)-1]}
		if len(parts) > 1 {
			n.Schema = parts[len(parts)-2]
		}
		return c.resolve(n)
	}
	last := parts[len(parts)-1]
	switch kind {
	case "TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE":
		if r := c.now.Relations[name(parts)]; r != nil {
			return r.Comment, true
		}
	case "INDEX":
		if i := c.now.Indexes[name(parts)]; i != nil {
			return i.Comment, true
		}
	case "SEQUENCE":
		if s := c.now.Sequences[name(parts)]; s != nil {
			return s.Comment, true
		}
	case "TYPE", "DOMAIN":
		if t := c.now.Types[name(parts)]; t != nil {
			return t.Comment, true
		}
	case "COLUMN", "CONSTRAINT", "TRIGGER", "POLICY":
		if len(parts) < 2 {
			return "", false
		}
		return c.commentBelow(kind, name(parts[:len(parts)-1]), last)
	}
	return "", false
}

func (c *compiler) commentBelow(kind string, table ddl.Name, part string) (string, bool) {
	r := c.now.Relations[table]
	if r == nil {
		return "", false
	}
	switch kind {
	case "COLUMN":
		if col := r.Column(part); col != nil {
			return col.Comment, true
		}
	case "CONSTRAINT":
		if k := r.Constraint(part); k != nil {
			return k.Comment, true
		}
	case "TRIGGER":
		for _, t := range r.Triggers {
			if t.Name == part {
				return t.Comment, true
			}
		}
	case "POLICY":
		for _, p := range r.Policies {
			if p.Name == part {
				return p.Comment, true
			}
		}
	}
	return "", false
}
