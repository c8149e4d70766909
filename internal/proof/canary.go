package main

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
)

// searchForIDs fails if what test runs printed contains one of the ids that they
// made, as it is, in hexadecimal, in base64, or escaped for a URL.
func searchForIDs(idFile string, streams []string) error {
	ids, err := readIDs(idFile)
	if err != nil {
		return err
	}
	var found []string
	for _, name := range streams {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		in, err := ids.search(f)
		f.Close()
		if err != nil {
			return err
		}
		found = append(found, in...)
	}
	if len(found) > 0 {
		return fmt.Errorf("session ids were printed by %v", found)
	}
	fmt.Printf("none of %d session ids was printed\n", ids.count)
	return nil
}

// idSet holds the forms of ids, by their length.
type idSet struct {
	count int
	forms map[int]map[string]bool
}

func readIDs(name string) (*idSet, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := &idSet{forms: make(map[int]map[string]bool)}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		s.add(lines.Text())
	}
	if s.count == 0 {
		return nil, errors.New("no session ids were recorded: was the run built with -tags=canary?")
	}
	return s, lines.Err()
}

func (s *idSet) add(id string) {
	s.count++
	raw, _ := base64.RawURLEncoding.DecodeString(id)
	for _, form := range []string{
		id, url.QueryEscape(id), hex.EncodeToString([]byte(id)), hex.EncodeToString(raw),
		base64.RawStdEncoding.EncodeToString([]byte(id)), base64.RawStdEncoding.EncodeToString(raw),
		base64.RawURLEncoding.EncodeToString([]byte(id)),
	} {
		byLength := s.forms[len(form)]
		if byLength == nil {
			byLength = make(map[string]bool)
			s.forms[len(form)] = byLength
		}
		byLength[form] = true
	}
}

var longWord = regexp.MustCompile(`[A-Za-z0-9_+/%-]{43,}`)

// in reports whether a text contains a form of an id.
func (s *idSet) in(text string) bool {
	for _, word := range longWord.FindAllString(text, -1) {
		for n, forms := range s.forms {
			for i := 0; i+n <= len(word); i++ {
				if forms[word[i:i+n]] {
					return true
				}
			}
		}
	}
	return false
}

// search answers the tests, or packages, that printed an id.
func (s *idSet) search(in io.Reader) ([]string, error) {
	var found []string
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			e.Output = lines.Text()
		}
		if s.in(e.Output) {
			found = append(found, e.Package+" "+e.Test)
		}
	}
	return found, lines.Err()
}
