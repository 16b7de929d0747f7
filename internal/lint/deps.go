package lint

import (
	"slices"
	"strings"
)

// Modules returns, sorted, the modules that the packages of a pattern are made
// of on Linux, this repository's own left out.
func Modules(dir string, patterns ...string) ([]string, error) {
	args := append([]string{"list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}"}, patterns...)
	out, err := goCommand(dir, []string{"GOOS=linux", "GOARCH=amd64"}, args...)
	if err != nil {
		return nil, err
	}
	modules := strings.Fields(string(out))
	slices.Sort(modules)
	modules = slices.Compact(modules)
	return slices.DeleteFunc(modules, func(m string) bool { return strings.HasPrefix(m, ModulePath) }), nil
}
