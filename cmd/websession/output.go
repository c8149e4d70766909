package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// output is how a command prints its result.
type output struct{ json bool }

// print writes v as one line of JSON, or what text writes.
func (o *output) print(w io.Writer, v any, text func(io.Writer) error) error {
	var err error
	if o.json {
		err = json.NewEncoder(w).Encode(v)
	} else {
		err = text(w)
	}
	if err != nil {
		return fmt.Errorf("the result cannot be printed: %w", err)
	}
	return nil
}
