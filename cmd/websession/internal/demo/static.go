package demo

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
)

//go:embed static/*
var staticFiles embed.FS

// staticPrefix begins the paths of static files.
const staticPrefix = "/static/"

// asset is a file that browsers may keep: its name changes with its content.
type asset struct {
	body []byte
	kind string
}

// assets are the static files by hashed name; staticNames has their hashed
// names by plain name.
var assets, staticNames = func() (map[string]asset, map[string]string) {
	files, names := make(map[string]asset), make(map[string]string)
	for name, kind := range map[string]string{"style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"} {
		body, err := staticFiles.ReadFile("static/" + name)
		if err != nil {
			panic("demo: " + err.Error())
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(name)
		hashed := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		files[hashed], names[name] = asset{body, kind}, hashed
	}
	return files, names
}()

func staticPath(name string) string { return staticPrefix + staticNames[name] }

func serveStatic(w http.ResponseWriter, r *http.Request) {
	a, ok := assets[r.PathValue("file")]
	if !ok {
		writeProblem(w, r, http.StatusNotFound, "There is no such page.")
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Write(a.body)
}
