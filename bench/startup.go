package main

import "context"

func (s *session) startup(context.Context) error { return nil }
