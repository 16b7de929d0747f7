package main

import "context"

func (s *session) fanout(ctx context.Context) error { return nil }
func (s *session) startup(ctx context.Context) error { return nil }
