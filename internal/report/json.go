package report

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// JSON is the investigation as one indented JSON document: the output
// contract. Lists are never null.
func JSON(inv *Investigation) ([]byte, error) {
	c := *inv
	fillLists(reflect.ValueOf(&c).Elem())
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(&c); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// fillLists makes empty lists of nil ones, so that a reader need not know
// both. Elements are copied before they are changed.
func fillLists(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillLists(v.Field(i))
			}
		}
	case reflect.Slice:
		n := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(n, v)
		if k := v.Type().Elem().Kind(); k == reflect.Struct || k == reflect.Slice {
			for i := range n.Len() {
				fillLists(n.Index(i))
			}
		}
		v.Set(n)
	}
}
