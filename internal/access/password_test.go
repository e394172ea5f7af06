package access

import (
	"strings"
	"testing"
)

func TestHashPassword(t *testing.T) {
	t.Parallel()
	first, err := HashPassword("pässword")
	if err != nil {
		t.Fatal(err)
	}
	second, err := HashPassword("pässword")
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Error("two hashes of one password are equal: the salt is not fresh")
	}
	if !strings.HasPrefix(first, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %q has other parameters", first)
	}
	for password, want := range map[string]bool{"pässword": true, "passwörd": false, "": false, "pässword ": false} {
		got, err := VerifyPassword(first, password)
		if err != nil || got != want {
			t.Errorf("VerifyPassword(%q) = %v, %v, want %v", password, got, err, want)
		}
	}
}

func TestHashPasswordRefuses(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"", strings.Repeat("x", MaxPasswordBytes+1)} {
		if hash, err := HashPassword(password); err == nil {
			t.Errorf("HashPassword of %d bytes = %q, want an error", len(password), hash)
		}
	}
}

// The vector was made with the reference implementation: argon2 (20190702) -id.
func TestVerifyPasswordOfOthers(t *testing.T) {
	t.Parallel()
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	got, err := VerifyPassword(hash, "password")
	if err != nil || !got {
		t.Errorf("VerifyPassword = %v, %v, want true", got, err)
	}
}

func TestCheckPasswordHash(t *testing.T) {
	t.Parallel()
	const salt, key = "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	tests := []struct {
		name, hash string
		ok         bool
	}{
		{"ours", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key, true},
		{"least", "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$" + salt, true},
		{"most memory", "$argon2id$v=19$m=65536,t=10,p=4$" + salt + "$" + key, true},
		{"too much memory", "$argon2id$v=19$m=65537,t=2,p=1$" + salt + "$" + key, false},
		{"gigabytes", "$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + key, false},
		{"past 32 bits", "$argon2id$v=19$m=4294967304,t=2,p=1$" + salt + "$" + key, false},
		{"too many passes", "$argon2id$v=19$m=19456,t=11,p=1$" + salt + "$" + key, false},
		{"no passes", "$argon2id$v=19$m=19456,t=0,p=1$" + salt + "$" + key, false},
		{"too many threads", "$argon2id$v=19$m=19456,t=2,p=5$" + salt + "$" + key, false},
		{"no threads", "$argon2id$v=19$m=19456,t=2,p=0$" + salt + "$" + key, false},
		{"threads starve", "$argon2id$v=19$m=16,t=2,p=4$" + salt + "$" + key, false},
		{"leading zero", "$argon2id$v=19$m=019456,t=2,p=1$" + salt + "$" + key, false},
		{"sign", "$argon2id$v=19$m=+19456,t=2,p=1$" + salt + "$" + key, false},
		{"other order", "$argon2id$v=19$t=2,m=19456,p=1$" + salt + "$" + key, false},
		{"argon2i", "$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + key, false},
		{"older version", "$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + key, false},
		{"no version", "$argon2id$m=19456,t=2,p=1$" + salt + "$" + key, false},
		{"padded base64", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "==$" + key, false},
		{"line break in base64", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "\n$" + key, false},
		{"short salt", "$argon2id$v=19$m=19456,t=2,p=1$AAAA$" + key, false},
		{"empty key", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$", false},
		{"long key", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + strings.Repeat("A", 100), false},
		{"endless", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + strings.Repeat("A", 1<<20), false},
		{"more parts", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key + "$", false},
		{"empty", "", false},
		{"plain", "secret", false},
		{"bcrypt", "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := CheckPasswordHash(test.hash)
			if (err == nil) != test.ok {
				t.Errorf("CheckPasswordHash = %v, want ok %v", err, test.ok)
			}
			if err != nil && strings.Contains(err.Error(), salt) {
				t.Errorf("the error quotes the hash: %v", err)
			}
		})
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=4294967295,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHash(text)
		if err != nil {
			return
		}
		if h.memory > maxHashMemory || h.passes > maxHashPasses || h.threads > maxHashThreads ||
			h.memory < 8*uint32(h.threads) || h.passes < 1 || h.threads < 1 ||
			len(h.salt) > maxSaltBytes || len(h.key) > maxKeyBytes {
			t.Errorf("parseHash(%q) is out of bounds: %+v", text, h)
		}
		if h.String() != text {
			t.Errorf("parseHash(%q) is written %q", text, h.String())
		}
	})
}
