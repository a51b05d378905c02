package ddl

import (
	"maps"
	"reflect"
	"sync"
	"sync/atomic"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// walk visits every node of a parse tree (pointers to pg structs), parents first and in the order of their
// fields, until visit returns false for one: its children are then left out.
func walk(root any, visit func(m any) bool) {
	walkValue(reflect.ValueOf(root), visit)
}

func walkValue(v reflect.Value, visit func(m any) bool) {
	switch v.Kind() {
	case reflect.Interface:
		walkValue(v.Elem(), visit)
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); k == reflect.Pointer || k == reflect.Interface {
			for i := range v.Len() {
				walkValue(v.Index(i), visit)
			}
		}
	case reflect.Pointer:
		if v.IsNil() || v.Elem().Kind() != reflect.Struct || !visit(v.Interface()) {
			return
		}
		s := v.Elem()
		if n, ok := v.Interface().(*pg.Node); ok { // most of all there is; its wrapper is none itself
			if n.Node != nil {
				walkValue(reflect.ValueOf(n.Node).Elem().Field(0), visit)
			}
			return
		}
		for _, i := range nodeFields(s.Type()) {
			walkValue(s.Field(i), visit)
		}
	}
}

// fieldsOf holds, for each type of node, the fields that nodeFields found: to ask a type is slower than the walk. The
// map is never changed, but replaced.
var (
	fieldsOf   atomic.Pointer[map[reflect.Type][]int]
	fieldsLock sync.Mutex
)

// nodeFields are the fields of a node in which other nodes can be.
func nodeFields(t reflect.Type) []int {
	if known := fieldsOf.Load(); known != nil {
		if list, ok := (*known)[t]; ok {
			return list
		}
	}
	var list []int
	for i := range t.NumField() {
		f := t.Field(i)
		switch f.Type.Kind() {
		case reflect.Interface, reflect.Slice, reflect.Pointer:
			if f.IsExported() {
				list = append(list, i)
			}
		}
	}
	fieldsLock.Lock()
	defer fieldsLock.Unlock()
	known := map[reflect.Type][]int{t: list}
	if old := fieldsOf.Load(); old != nil {
		maps.Copy(known, *old)
	}
	fieldsOf.Store(&known)
	return list
}

// all are the nodes of type T, outer ones first.
func all[T any](root any) []*T {
	var out []*T
	walk(root, func(n any) bool {
		if t, ok := n.(*T); ok {
			out = append(out, t)
		}
		return true
	})
	return out
}

// first is the outermost node of type T, nil when there is none.
func first[T any](root any) *T {
	var found *T
	walk(root, func(n any) bool {
		if t, ok := n.(*T); ok && found == nil {
			found = t
		}
		return found == nil
	})
	return found
}
