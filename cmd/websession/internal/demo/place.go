package demo

import (
	"crypto/rand"
	"fmt"
	"maps"
	"os"

	"github.com/websession/websession/session"
)

// Place is a store that the handles of several servers can share.
type Place struct {
	Store  session.Config
	folder string // temporary; "" for none
}

// NewPlace makes a Place of the store that was chosen. Without a class, it is
// of class File; without a folder, that is a temporary one. Stores of class
// Memory share what they keep if they have a name.
func NewPlace(chosen session.Config) (*Place, error) {
	p := &Place{Store: session.Config{Class: chosen.Class, Properties: make(map[string]any)}}
	maps.Copy(p.Store.Properties, chosen.Properties)
	if p.Store.Class == "" {
		p.Store.Class = "File"
	}
	switch p.Store.Class {
	case "File":
		return p, p.useFolder()
	case "Memory":
		p.byDefault("name", "demo-"+rand.Text())
	}
	return p, nil
}

// useFolder makes a temporary folder if none was chosen.
func (p *Place) useFolder() (err error) {
	if _, chosen := p.Store.Properties["Directory"]; chosen {
		return nil
	}
	if p.folder, err = os.MkdirTemp("", "websession-demo-"); err != nil {
		return fmt.Errorf("no temporary folder for the sessions (choose one with --prop Directory=FOLDER): %w", err)
	}
	p.byDefault("Directory", p.folder)
	p.byDefault("durability", "none") // the folder goes at the end: a power cut takes nothing more
	return nil
}

func (p *Place) byDefault(name string, value any) {
	if _, chosen := p.Store.Properties[name]; !chosen {
		p.Store.Properties[name] = value
	}
}

// Temporary reports whether the sessions go with Remove.
func (p *Place) Temporary() bool { return p.folder != "" }

// Remove removes the temporary folder, if there is one.
func (p *Place) Remove() error {
	if p.folder == "" {
		return nil
	}
	if err := os.RemoveAll(p.folder); err != nil {
		return fmt.Errorf("the temporary folder stays: %w", err)
	}
	return nil
}
