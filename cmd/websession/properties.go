package main

import (
	_ "embed"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// newProperties is hidden: it makes docs/properties.md.
func newProperties() *cobra.Command {
	return &cobra.Command{
		Use:    "properties",
		Short:  "Print docs/properties.md",
		Hidden: true,
		Args:   noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), propertiesPage())
			return err
		},
	}
}

// propertiesIntro is how docs/properties.md begins.
//
//go:embed properties_intro.md
var propertiesIntro string

// propertiesPage answers docs/properties.md.
func propertiesPage() string {
	var b strings.Builder
	b.WriteString(propertiesIntro)
	for _, info := range describeAll() {
		info.writePage(&b)
	}
	return b.String()
}

// writePage writes the section of a class.
func (info classInfo) writePage(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\nPackage `%s`.", info.Class, info.Package)
	if len(info.Aliases) > 0 {
		fmt.Fprintf(b, " Also called %s.", codes(info.Aliases))
	}
	if len(info.Schemes) > 0 {
		fmt.Fprintf(b, " URLs begin with %s.", codes(info.urls()))
	}
	b.WriteString("\n")
	head := "\n| property | type | default | meaning |\n|---|---|---|---|\n"
	var reasons []string
	ignored := make(map[string][]string) // by the reason
	for _, p := range info.Properties {
		if p.ignored() {
			if ignored[p.Doc] == nil {
				reasons = append(reasons, p.Doc)
			}
			ignored[p.Doc] = append(ignored[p.Doc], p.Name)
			continue
		}
		fmt.Fprintf(b, "%s| `%s` | %s | %s | %s |\n", head, p.Name, p.pageType(), p.pageDefault(), cell(p.Doc))
		head = ""
	}
	if head != "" {
		b.WriteString("\nIt has no properties.\n")
	}
	if len(reasons) > 0 {
		b.WriteString("\nKnown from Perl, accepted and without effect:\n\n")
	}
	for _, why := range reasons {
		fmt.Fprintf(b, "- %s: %s.\n", codes(ignored[why]), why)
	}
}

// pageType answers the type, as the page calls it.
func (p property) pageType() string {
	if p.Type == "string" {
		return "text"
	}
	if choices := strings.Split(p.Type, "|"); len(choices) > 1 {
		return codes(choices)
	}
	return p.Type
}

func (p property) pageDefault() string {
	switch {
	case p.Required:
		return "required"
	case p.Default == "":
		return ""
	}
	return "`" + cell(p.Default) + "`"
}

// codes lists words as code.
func codes(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }

// cell answers a text that can stand in a table of Markdown.
func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}
