package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// explainUsage makes errors of usage say what is wanted, in all commands below c.
func explainUsage(c *cobra.Command) {
	c.SetFlagErrorFunc(flagError)
	for _, sub := range c.Commands() {
		explainUsage(sub)
	}
	check := c.Args
	if check == nil || c.HasSubCommands() {
		return
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if check(c, args) == nil {
			return nil
		}
		wanted := strings.TrimPrefix(c.Use, c.Name())
		if wanted == "" {
			return fmt.Errorf("%s takes no arguments", c.CommandPath())
		}
		return fmt.Errorf("wrong number of arguments: want %s%s", c.CommandPath(), wanted)
	}
}

// flagError says which values a flag takes, in place of how they are parsed.
func flagError(c *cobra.Command, err error) error {
	var invalid interface{ GetValue() string } // what pflag's error has
	if !errors.As(err, &invalid) {
		return err
	}
	_, rest, _ := strings.Cut(err.Error(), "--")
	name, _, _ := strings.Cut(rest, `"`)
	f := c.Flags().Lookup(name)
	if f == nil {
		return err
	}
	want := ""
	switch f.Value.Type() {
	case "int16", "int32", "int64":
		want = "a whole number"
	case "int32Slice":
		want = "whole numbers, separated by commas"
	case "duration":
		want = "a duration such as 10s or 500ms"
	case "bool":
		want = "true or false"
	default:
		return err
	}
	return fmt.Errorf("invalid value %q for --%s: want %s", invalid.GetValue(), name, want)
}
