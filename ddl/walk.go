package ddl

import "reflect"

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
		for i := range s.NumField() {
			if s.Type().Field(i).IsExported() {
				walkValue(s.Field(i), visit)
			}
		}
	}
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
	if list := all[T](root); len(list) > 0 {
		return list[0]
	}
	return nil
}
