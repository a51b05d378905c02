package ddl

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"
)

// parseSQL is pg.Parse in half of its time. Most of that goes into writing the tree as protobuf, where every node is
// asked whether it is one of the 268 kinds, and into reading it again; the parser's JSON of the same tree costs a
// third. What readTree does not understand in it is asked for once more as protobuf. TestReadTree and FuzzReadTree
// hold the two against each other.
func parseSQL(sql string) (*pg.ParseResult, error) {
	text, err := parser.ParseToJSON(sql)
	if err != nil {
		return nil, err
	}
	if tree := readTree(text); tree != nil {
		return tree, nil
	}
	return pg.Parse(sql)
}

// treeDepth is how deep nodes may lie in each other before readTree gives up.
const treeDepth = 4000

// readTree reads the parser's JSON; nil when there is something in it that the Go types do not have.
func readTree(text string) *pg.ParseResult {
	r := &treeReader{text: text}
	tree := new(pg.ParseResult)
	if !r.message(reflect.ValueOf(tree).Elem(), messageOf(reflect.TypeFor[pg.ParseResult]())) || r.at != len(text) {
		return nil
	}
	return tree
}

// treeReader reads JSON as the parser writes it: compact, and without fields that are zero.
type treeReader struct {
	text      string
	at, depth int
}

// message reads the fields of a message into v.
func (r *treeReader) message(v reflect.Value, m *treeMessage) bool {
	if r.depth++; r.depth > treeDepth {
		return false
	}
	m.once.Do(m.learn)
	ok := r.members(func(key string) bool {
		f := m.fields[key]
		return f != nil && r.field(v, f)
	})
	r.depth--
	return ok
}

// members reads an object, the values with value.
func (r *treeReader) members(value func(key string) bool) bool {
	if !r.skip('{') {
		return false
	}
	if r.skip('}') {
		return true
	}
	for {
		key, ok := r.str()
		if !ok || !r.skip(':') || !value(key) {
			return false
		}
		if r.skip('}') {
			return true
		}
		if !r.skip(',') {
			return false
		}
	}
}

func (r *treeReader) field(v reflect.Value, f *treeField) bool {
	at := v.Field(f.index)
	switch f.kind {
	case reflect.String:
		s, ok := r.str()
		if ok && s != "" {
			at.SetString(kept(s))
		}
		return ok
	case reflect.Bool:
		yes := r.word("true")
		at.SetBool(yes)
		return yes || r.word("false")
	case reflect.Uint32:
		n, ok := r.number(33)
		at.SetUint(uint64(n))
		return ok && n >= 0
	case reflect.Int32:
		if f.enum != nil {
			s, ok := r.str()
			n, known := f.enum[s]
			at.SetInt(n)
			return ok && known
		}
		n, ok := r.number(32)
		at.SetInt(n)
		return ok
	case reflect.Int64:
		n, ok := r.number(64)
		at.SetInt(n)
		return ok
	case reflect.Slice:
		return r.list(at, f)
	case reflect.Pointer:
		if f.elem.of == nodeType {
			n := r.node()
			at.Set(reflect.ValueOf(n))
			return n != nil
		}
		m := reflect.New(f.elem.of)
		at.Set(m)
		return r.message(m.Elem(), f.elem)
	case reflect.Interface: // of A_Const
		w, m := reflect.New(f.wrapper), reflect.New(f.elem.of)
		w.Elem().Field(0).Set(m)
		at.Set(w)
		return r.message(m.Elem(), f.elem)
	}
	return false // nothing that a parser makes
}

// list reads an array of messages.
func (r *treeReader) list(at reflect.Value, f *treeField) bool {
	if !r.skip('[') {
		return false
	}
	if r.skip(']') {
		return true
	}
	var nodes []*pg.Node
	for {
		if f.elem == nil {
			return false // numbers, which a parser does not make
		}
		if f.elem.of == nodeType {
			n := r.node()
			if n == nil {
				return false
			}
			nodes = append(nodes, n)
		} else {
			m := reflect.New(f.elem.of)
			if !r.message(m.Elem(), f.elem) {
				return false
			}
			at.Set(reflect.Append(at, m))
		}
		if r.skip(']') {
			if nodes != nil {
				at.Set(reflect.ValueOf(nodes))
			}
			return true
		}
		if !r.skip(',') {
			return false
		}
	}
}

// node reads a node of any kind, nil when it cannot.
func (r *treeReader) node() *pg.Node {
	if r.depth++; r.depth > treeDepth {
		return nil
	}
	var n *pg.Node
	ok := r.members(func(kind string) bool {
		f := nodeKinds()[kind]
		if f == nil || n != nil {
			return false
		}
		f.once.Do(f.join)
		whole := reflect.New(f.whole).Elem()
		n = whole.Field(0).Addr().Interface().(*pg.Node)
		wrapper, member := whole.Field(1), whole.Field(2)
		wrapper.Field(0).Set(member.Addr())
		whole.Field(0).Field(nodeUnion).Set(wrapper.Addr())
		return r.message(member, f.elem)
	})
	r.depth--
	switch {
	case !ok:
		return nil
	case n == nil:
		return new(pg.Node) // NULL in a list
	}
	return n
}

func (r *treeReader) skip(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *treeReader) word(w string) bool {
	if strings.HasPrefix(r.text[r.at:], w) {
		r.at += len(w)
		return true
	}
	return false
}

func (r *treeReader) number(bits int) (int64, bool) {
	from := r.at
	for r.at < len(r.text) && (r.text[r.at] == '-' || r.text[r.at] >= '0' && r.text[r.at] <= '9') {
		r.at++
	}
	n, err := strconv.ParseInt(r.text[from:r.at], 10, bits)
	return n, err == nil
}

// str reads a string. It may be a part of the text.
func (r *treeReader) str() (string, bool) {
	if !r.skip('"') {
		return "", false
	}
	rest := r.text[r.at:]
	end := strings.IndexByte(rest, '"')
	if end < 0 {
		return "", false
	}
	if s := rest[:end]; strings.IndexByte(s, '\\') < 0 {
		r.at += end + 1
		return s, utf8.ValidString(s)
	}
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"':
			r.at += i + 1
			return b.String(), utf8.ValidString(b.String())
		case c != '\\':
			b.WriteByte(c)
		case i+1 < len(rest):
			i++
			c, ok := map[byte]byte{'"': '"', '\\': '\\', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}[rest[i]]
			if rest[i] == 'u' && i+4 < len(rest) {
				n, err := strconv.ParseUint(rest[i+1:i+5], 16, 7)
				c, ok = byte(n), err == nil
				i += 4
			}
			if !ok {
				return "", false
			}
			b.WriteByte(c)
		}
	}
	return "", false
}

// kept is a string that outlives the text.
func kept(s string) string {
	switch s { // every table and type has these
	case "p":
		return "p"
	case "pg_catalog":
		return "pg_catalog"
	}
	return strings.Clone(s)
}

// treeMessage is a type of message.
type treeMessage struct {
	of     reflect.Type
	once   sync.Once
	fields map[string]*treeField // by their names in JSON
}

// treeField is a field of a message.
type treeField struct {
	index   int
	kind    reflect.Kind
	elem    *treeMessage     // what a pointer or a list is of
	enum    map[string]int64 // the values of an enumerated type
	wrapper reflect.Type     // of the kinds of A_Const
}

// treeMessages are the types that were met: reflect.Type → *treeMessage.
var treeMessages sync.Map

func messageOf(t reflect.Type) *treeMessage {
	m, _ := treeMessages.LoadOrStore(t, &treeMessage{of: t})
	return m.(*treeMessage)
}

// learn finds the fields.
func (m *treeMessage) learn() {
	m.fields = map[string]*treeField{}
	for i := range m.of.NumField() {
		f := m.of.Field(i)
		if _, union := f.Tag.Lookup("protobuf_oneof"); union {
			for _, w := range []any{pg.A_Const_Ival{}, pg.A_Const_Fval{}, pg.A_Const_Boolval{}, pg.A_Const_Sval{}, pg.A_Const_Bsval{}} {
				w := reflect.TypeOf(w)
				m.fields[jsonName(w.Field(0))] = &treeField{index: i, kind: reflect.Interface, wrapper: w, elem: messageOf(w.Field(0).Type.Elem())}
			}
		} else if name := jsonName(f); name != "" {
			m.fields[name] = fieldOf(i, f.Type)
		}
	}
}

func fieldOf(index int, t reflect.Type) *treeField {
	f := &treeField{index: index, kind: t.Kind()}
	switch {
	case f.kind == reflect.Pointer:
		f.elem = messageOf(t.Elem())
	case f.kind == reflect.Slice && t.Elem().Kind() == reflect.Pointer:
		f.elem = messageOf(t.Elem().Elem())
	case f.kind == reflect.Int32 && t != reflect.TypeFor[int32]():
		f.enum = map[string]int64{}
		for v := reflect.New(t).Elem(); ; v.SetInt(v.Int() + 1) {
			name := v.Interface().(fmt.Stringer).String()
			if name == strconv.FormatInt(v.Int(), 10) {
				break // there is no such value, nor any behind it
			}
			f.enum[name] = v.Int()
		}
	}
	return f
}

// jsonName is the name of a field in JSON, "" where it is none of the message's.
func jsonName(f reflect.StructField) (name string) {
	for part := range strings.SplitSeq(f.Tag.Get("protobuf"), ",") {
		if n, ok := strings.CutPrefix(part, "name="); ok && name == "" {
			name = n
		} else if n, ok := strings.CutPrefix(part, "json="); ok {
			name = n
		}
	}
	return name
}

// nodeKind is a kind of node.
type nodeKind struct {
	wrapper reflect.Type
	elem    *treeMessage
	once    sync.Once
	whole   reflect.Type // node, wrapper and message in one piece: one allocation instead of three
}

func (k *nodeKind) join() {
	k.whole = reflect.StructOf([]reflect.StructField{
		{Name: "Node", Type: nodeType}, {Name: "Wrapper", Type: k.wrapper}, {Name: "Member", Type: k.elem.of}})
}

var nodeType = reflect.TypeFor[pg.Node]()

// nodeUnion is the field of a node that says which kind it is of.
var nodeUnion = func() int {
	f, _ := nodeType.FieldByName("Node")
	return f.Index[0]
}()

// nodeKinds are the kinds of nodes, by their names in JSON.
var nodeKinds = sync.OnceValue(func() map[string]*nodeKind {
	kinds := map[string]*nodeKind{}
	n := new(pg.Node)
	m := n.ProtoReflect()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		m.Set(fields.Get(i), m.NewField(fields.Get(i))) // now Node holds the wrapper of the kind
		wrapper := reflect.TypeOf(n.Node).Elem()
		kinds[jsonName(wrapper.Field(0))] = &nodeKind{wrapper: wrapper, elem: messageOf(wrapper.Field(0).Type.Elem())}
	}
	return kinds
})
