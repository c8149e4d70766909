package mysql_test

import "testing"

func TestConformance(t *testing.T) { class.Conformance(t, place) }
