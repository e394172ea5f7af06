package access

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// MaxPasswordBytes is the length of the longest password that can be given to a user.
const MaxPasswordBytes = 1024

// What new hashes cost: OWASP's first recommendation for argon2id.
const (
	hashMemory  = 19456 // KiB
	hashPasses  = 2
	hashThreads = 1
	saltBytes   = 16
	keyBytes    = 32
)

// What a hash that somebody else made may cost at most, so that no string in a file or in the
// database can make the server allocate or compute without bound.
const (
	maxHashMemory  = 64 * 1024 // KiB
	maxHashPasses  = 10
	maxHashThreads = 4
	maxSaltBytes   = 64
	maxKeyBytes    = 64
	minSaltBytes   = 8
	minKeyBytes    = 16
)

const hashPrefix = "$argon2id$v=19$"

var errHashMalformed = errors.New("not an argon2id hash in PHC string form")

// passwordHash is a parsed PHC string: parameters, salt and key.
type passwordHash struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
	salt    []byte
	key     []byte
}

// HashPassword hashes a password with argon2id and a fresh salt, in PHC string form:
// $argon2id$v=19$m=19456,t=2,p=1$salt$hash. It refuses an empty password and one of more than
// [MaxPasswordBytes].
func HashPassword(password string) (string, error) {
	if password == "" {
		return "", errors.New("the password is empty")
	}
	if len(password) > MaxPasswordBytes {
		return "", fmt.Errorf("the password is longer than %d bytes", MaxPasswordBytes)
	}
	h := passwordHash{
		memory: hashMemory, passes: hashPasses, threads: hashThreads,
		salt: make([]byte, saltBytes), key: make([]byte, keyBytes),
	}
	rand.Read(h.salt) // never fails: crypto/rand ends the program rather than return short
	h.key = h.derive(password)
	return h.String(), nil
}

// VerifyPassword tells whether the password is the one that was hashed, comparing in constant
// time. A hash that [CheckPasswordHash] refuses is an error and costs nothing.
func VerifyPassword(hash, password string) (bool, error) {
	h, err := parseHash(hash)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(h.derive(password), h.key) == 1, nil
}

// CheckPasswordHash tells what is wrong with a hash that was made elsewhere: it must be
// argon2id, version 19, in PHC string form, with at most 64 MiB, 10 passes and 4 threads.
func CheckPasswordHash(hash string) error {
	_, err := parseHash(hash)
	return err
}

func (h *passwordHash) derive(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.threads, uint32(len(h.key)))
}

// String writes the hash in PHC string form.
func (h *passwordHash) String() string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("%sm=%d,t=%d,p=%d$%s$%s", hashPrefix, h.memory, h.passes, h.threads,
		enc.EncodeToString(h.salt), enc.EncodeToString(h.key))
}

// parseHash reads a PHC string without trusting it: every size is bounded before it is used.
func parseHash(text string) (*passwordHash, error) {
	const longest = 256 // more than any hash within the bounds needs
	rest, ok := strings.CutPrefix(text, hashPrefix)
	if !ok || len(text) > longest {
		return nil, errHashMalformed
	}
	parts := strings.Split(rest, "$")
	if len(parts) != 3 {
		return nil, errHashMalformed
	}
	params := strings.Split(parts[0], ",")
	if len(params) != 3 {
		return nil, errHashMalformed
	}
	memory, err1 := parseParam(params[0], "m=", 8, maxHashMemory)
	passes, err2 := parseParam(params[1], "t=", 1, maxHashPasses)
	threads, err3 := parseParam(params[2], "p=", 1, maxHashThreads)
	salt, err4 := parsePart(parts[1], "salt", minSaltBytes, maxSaltBytes)
	key, err5 := parsePart(parts[2], "key", minKeyBytes, maxKeyBytes)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return nil, err
	}
	if memory < 8*threads { // RFC 9106, 3.1
		return nil, fmt.Errorf("%w: m must be at least 8 times p", errHashMalformed)
	}
	return &passwordHash{memory: memory, passes: passes, threads: uint8(threads), salt: salt, key: key}, nil
}

func parseParam(text, name string, least, most uint32) (uint32, error) {
	digits, ok := strings.CutPrefix(text, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || strconv.FormatUint(n, 10) != digits {
		return 0, errHashMalformed
	}
	if n < uint64(least) || n > uint64(most) {
		return 0, fmt.Errorf("%w: %s must be %d to %d", errHashMalformed, name[:1], least, most)
	}
	return uint32(n), nil
}

func parsePart(text, name string, least, most int) ([]byte, error) {
	part, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errHashMalformed // the decoder's own words could quote the hash
	}
	if strings.ContainsAny(text, "\r\n") { // which the decoder skips
		return nil, errHashMalformed
	}
	if len(part) < least || len(part) > most {
		return nil, fmt.Errorf("%w: the %s must have %d to %d bytes", errHashMalformed, name, least, most)
	}
	return part, nil
}
