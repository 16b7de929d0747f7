package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/moldau/moldau/broker/config"
)

func TestProfilesArePushed(t *testing.T) {
	pushed := make(chan string, 16)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case pushed <- r.URL.Path + " " + r.URL.Query().Get("name"):
		default:
		}
	}))
	defer server.Close()
	cfg, _, err := config.Load([]config.Property{{Name: "moldau.pyroscope.url", Value: server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	stop, err := pushProfiles(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	stop()
	got := <-pushed
	if !strings.HasPrefix(got, "/ingest moldau") || !strings.Contains(got, "node=1") {
		t.Errorf("got %s", got)
	}
}

func TestNoProfilesWithoutURL(t *testing.T) {
	stop, err := pushProfiles(config.Default(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	stop()
}
