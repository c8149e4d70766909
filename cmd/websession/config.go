package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/websession/websession/session"
)

// maxConfig is the size of a configuration file, in bytes.
const maxConfig = 1 << 20

// readConfig reads a configuration file: JSON if its name ends in .json, YAML
// for .yaml and .yml, and otherwise JSON if it begins with a brace.
func readConfig(name string) (session.Config, error) {
	fail := func(err error) (session.Config, error) {
		return session.Config{}, fmt.Errorf("configuration file %s: %w", name, err)
	}
	f, err := os.Open(name)
	if err != nil {
		return fail(withoutPath(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	switch {
	case err != nil:
		return fail(withoutPath(err))
	case len(data) > maxConfig:
		return fail(fmt.Errorf("it has more than %d bytes", maxConfig))
	case len(bytes.TrimSpace(data)) == 0:
		return fail(errors.New("it is empty"))
	}
	decode := decodeYAML
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json":
		decode = decodeJSON
	case ".yaml", ".yml":
	default:
		if bytes.TrimSpace(data)[0] == '{' {
			decode = decodeJSON
		}
	}
	c, err := decode(data)
	if err != nil {
		return fail(err)
	}
	return c, nil
}

var errTrailing = errors.New("something follows the configuration")

func decodeJSON(data []byte) (c session.Config, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	dec.UseNumber() // numbers stay as they are written
	if err = dec.Decode(&c); err != nil {
		return c, err
	}
	if _, err = dec.Token(); err != io.EOF {
		return c, errTrailing
	}
	return c, nil
}

func decodeYAML(data []byte) (c session.Config, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err = dec.Decode(&c); err != nil && err != io.EOF { // EOF: comments only
		return c, err
	}
	if err = dec.Decode(new(any)); err != io.EOF {
		return c, errTrailing
	}
	return c, nil
}

// withoutPath answers err without the name of the file, which the caller adds.
func withoutPath(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
