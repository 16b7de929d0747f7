package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// syntax.golden is what java.util.Properties makes of syntax.properties.
func TestParsePropertiesAsJava(t *testing.T) {
	file, err := os.Open("testdata/syntax.properties")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	properties, err := ParseProperties(file)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, p := range properties {
		fmt.Fprintf(&got, "%s = %s\n", quote(p.Name), quote(p.Value))
	}
	want, err := os.ReadFile("testdata/syntax.golden")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`, "\f", `\f`).Replace(s) + `"`
}

func TestParsePropertiesLines(t *testing.T) {
	properties, err := ParseProperties(strings.NewReader("# c\n\na=1\r\nb=\\\n  2\rc=3\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Property{{"a", "1", 3}, {"b", "2", 4}, {"c", "3", 6}}
	if fmt.Sprint(properties) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", properties, want)
	}
}

func TestParsePropertiesRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"ok=1\nx=\\u12g4":                       `properties line 2: value of x: \u wants four hexadecimal digits`,
		`\u12`:                                  `properties line 1: \u wants four hexadecimal digits`,
		strings.Repeat("a", propertiesLenMax+1): "longer than 1048576 bytes",
		strings.Repeat("a\n", propertiesCountMax+1): "more than 16384 settings",
	} {
		if _, err := ParseProperties(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func FuzzParseProperties(f *testing.F) {
	syntax, err := os.ReadFile("testdata/syntax.properties")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(syntax)
	f.Add([]byte("a=\\u0041\\\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		properties, err := ParseProperties(strings.NewReader(string(text)))
		if err != nil {
			return
		}
		// What was read, written plainly, is read again as the same.
		var b strings.Builder
		for _, p := range properties {
			if !utf8.ValidString(p.Name) || !utf8.ValidString(p.Value) {
				t.Fatalf("%q=%q is no UTF-8", p.Name, p.Value)
			}
			b.WriteString(escape(p.Name) + "=" + escape(p.Value) + "\n")
		}
		if b.Len() > propertiesLenMax {
			return
		}
		again, err := ParseProperties(strings.NewReader(b.String()))
		if err != nil || len(again) != len(properties) {
			t.Fatalf("%q: read again as %v, %v", b.String(), again, err)
		}
		for i := range again {
			if again[i].Name != properties[i].Name || again[i].Value != properties[i].Value {
				t.Fatalf("%v became %v", properties[i], again[i])
			}
		}
	})
}

// escape writes a name or value so that nothing in it has a meaning.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\f':
			b.WriteString(`\f`)
		case strings.ContainsRune(`\=:#! `, r):
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func FuzzLoad(f *testing.F) {
	f.Add("listeners", "PLAINTEXT://[::1]:9092", "node.id", "7")
	f.Add("controller.quorum.voters", "1@a:1,2@b:2", "process.roles", "broker")
	f.Add("listener.name.plaintext.ssl.keystore.location", "x", "log.dirs", "a,b")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		b, report, err := Load([]Property{{name1, value1, 1}, {name2, value2, 2}})
		if report == nil || (b == nil) != (err != nil) {
			t.Fatalf("got %v, %v, %v", b, report, err)
		}
		if b == nil {
			return
		}
		for _, l := range b.Listeners {
			if host, port, err := splitHostPort(l.Address()); err != nil || host != l.Host || port != l.Port {
				t.Fatalf("%s reads as %q %d, %v", l, host, port, err)
			}
		}
		DescribeBroker(b.Layers(), nil)
	})
}

func FuzzTopicValue(f *testing.F) {
	for _, e := range Entries(ScopeTopic) {
		f.Add(e.Name, e.Default.Text)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		if ValidateTopic(name, text) != nil {
			return
		}
		l := Layers{Topic: Map{name: text}}
		e := Lookup(ScopeTopic, name)
		if got := l.effective(e); got.origin != OriginTopic {
			t.Fatalf("%s=%q was accepted, but its value is %+v", name, text, got)
		}
		ResolveTopic(l)
		DescribeTopic(l, []string{name})
	})
}
