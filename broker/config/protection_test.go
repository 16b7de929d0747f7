package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// harmless are the settings of protection that refuse nothing, with a value
// that is not the default: they tune what is not there, or loosen it.
var harmless = map[string]string{
	"connection.failed.authentication.delay.ms":           "200",
	"delegation.token.expiry.check.interval.ms":           "1000",
	"delegation.token.expiry.time.ms":                     "1000",
	"delegation.token.max.lifetime.ms":                    "1000",
	"early.start.listeners":                               "CONTROLLER",
	"sasl.kerberos.kinit.cmd":                             "/bin/kinit",
	"sasl.kerberos.min.time.before.relogin":               "1",
	"sasl.kerberos.ticket.renew.jitter":                   "0.1",
	"sasl.kerberos.ticket.renew.window.factor":            "0.1",
	"sasl.login.connect.timeout.ms":                       "1",
	"sasl.login.read.timeout.ms":                          "1",
	"sasl.login.refresh.buffer.seconds":                   "1",
	"sasl.login.refresh.min.period.seconds":               "1",
	"sasl.login.refresh.window.factor":                    "0.6",
	"sasl.login.refresh.window.jitter":                    "0.1",
	"sasl.login.retry.backoff.max.ms":                     "1",
	"sasl.login.retry.backoff.ms":                         "1",
	"sasl.oauthbearer.allow.unverified.audience":          "true",
	"sasl.oauthbearer.allow.unverified.issuer":            "true",
	"sasl.oauthbearer.assertion.claim.exp.seconds":        "1",
	"sasl.oauthbearer.assertion.claim.jti.include":        "true",
	"sasl.oauthbearer.assertion.claim.nbf.seconds":        "1",
	"sasl.oauthbearer.clock.skew.seconds":                 "1",
	"sasl.oauthbearer.jwks.endpoint.refresh.ms":           "1",
	"sasl.oauthbearer.jwks.endpoint.retry.backoff.ms":     "1",
	"sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": "1",
	"sasl.server.max.receive.size":                        "1",
	"ssl.allow.dn.changes":                                "true",
	"ssl.allow.san.changes":                               "true",
}

// served are those that work.
var servedProtection = []string{"listener.security.protocol.map"}

// asking is a value that asks for the protection, where "x" is none.
var asking = map[string]string{
	"allow.everyone.if.no.acl.found":       "false",
	"connections.max.reauth.ms":            "1000",
	"sasl.oauthbearer.assertion.algorithm": "ES256",
	"security.inter.broker.protocol":       "SASL_SSL",
	"ssl.client.auth":                      "requested",
}

// isProtection tells the settings that authenticate, encrypt, authorize, or
// hand one of those to a class of others.
func isProtection(name string) bool {
	for _, prefix := range []string{"sasl.", "ssl.", "delegation.token."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	for _, word := range []string{"authoriz", "acl", "authentica", "reauth", "principal", "secur", "super.users", "policy.class", "config.providers", "early.start"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// Every setting of protection that Kafka knows works, refuses the start, or is
// known to be harmless: by itself, for one listener, and while the node runs.
func TestProtectionIsNeverMissed(t *testing.T) {
	refused := 0
	for _, e := range Entries(ScopeBroker) {
		switch value, isHarmless := harmless[e.Name]; {
		case !isProtection(e.Name) || slices.Contains(servedProtection, e.Name):
		case isHarmless:
			if _, report, err := Load([]Property{{e.Name, value, 1}}); err != nil || !slices.Contains(report.Ignored, e.Name) {
				t.Errorf("%s=%s: got %v, want a warning that it has no effect", e.Name, value, err)
			}
		default:
			refused++
			checkRefused(t, e)
		}
	}
	if refused < 60 {
		t.Errorf("only %d settings refuse the start", refused)
	}
	for name := range harmless {
		if e := Lookup(ScopeBroker, name); e == nil || e.Support != Ignored {
			t.Errorf("%s is no setting without an effect", name)
		}
	}
}

func checkRefused(t *testing.T, e *Entry) {
	t.Helper()
	value := "x"
	if v, ok := asking[e.Name]; ok {
		value = v
	}
	want := e.Name + " asks for what this node does not have yet"
	for _, name := range []string{e.Name, "listener.name.plaintext." + e.Name, "listener.name.external.scram-sha-256." + e.Name} {
		b, _, err := Load([]Property{{name, value, 1}})
		if b != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s=%s: got %v", name, value, err)
		}
	}
	if err := ValidateBroker(e.Name, value, false); err == nil {
		t.Errorf("%s=%s can be set while the node runs", e.Name, value)
	}
	if e.Default.Set && !e.DefaultAsks { // saying the default asks for nothing
		if _, _, err := Load([]Property{{e.Name, e.Default.Text, 1}}); err != nil {
			t.Errorf("%s: its default is refused: %v", e.Name, err)
		}
	}
}

// A slip of one letter in a setting that refuses the start refuses it too.
func TestMisspelledProtection(t *testing.T) {
	for _, e := range Entries(ScopeBroker) {
		if e.Support != Refused || !isProtection(e.Name) {
			continue
		}
		for i := range len(e.Name) {
			name := e.Name[:i] + e.Name[i+1:]
			if table.byBroker[name] != nil {
				continue
			}
			if _, _, err := Load([]Property{{name, "x", 1}}); err == nil {
				t.Errorf("%s (for %s) is only warned of", name, e.Name)
			}
		}
	}
}

// Secrets are neither shown nor kept, whatever happens to them.
func TestSecretsAreNotTold(t *testing.T) {
	for _, e := range Entries(ScopeBroker) {
		if !e.Sensitive {
			continue
		}
		const secret = "hunter2"
		for _, name := range []string{e.Name, "listener.name.plaintext." + e.Name} {
			_, report, err := Load([]Property{{name, secret, 1}})
			if text := fmt.Sprint(err, report); strings.Contains(text, secret) {
				t.Errorf("%s: its value is told: %s", name, text)
			}
		}
		if err := ValidateBroker(e.Name, secret, false); err == nil || errors.Is(err, ErrUnknown) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v", e.Name, err)
		}
	}
}
