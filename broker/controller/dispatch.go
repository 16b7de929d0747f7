package controller

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/metarecord"
)

func (m *Machine) dispatch(t Times, req kmsg.Request) ([]metarecord.Record, kmsg.Response) {
	return nil, nil
}

func (m *Machine) fenceExpired(t Times) [][]metarecord.Record { return nil }

func (m *Machine) rebalance(t Times) []metarecord.Record { return nil }
