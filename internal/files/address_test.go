package files_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/internal/fault"
	"rollcall/internal/files"
	"rollcall/internal/files/s3test"
)

func TestURLsThatNameNoPlace(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("[default]\nregion = "+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, url, hint string }{
		{"another kind", "ftp://" + secret, "s3://"},
		{"no kind", secret, "s3://"},
		{"Google", "gs://" + secret, "storage.googleapis.com"},
		{"not a URL", "s3://b%zz" + secret, "s3://"},
		{"opaque", "s3:" + secret, "s3://"},
		{"a fragment", "s3://b#" + secret, "s3://"},
		{"a password", "s3://key:" + secret + "@bucket", "AWS_SECRET_ACCESS_KEY"},
		{"a name", "azblob://" + secret + "@container", "environment"},
		{"broken parameters", "s3://b?a=%zz" + secret, "?name=value"},
		{"S3 without a bucket", "s3:///" + secret, "s3://bucket"},
		{"S3 with a path", "s3://b/" + secret, "?prefix="},
		{"S3 with an unknown parameter", "s3://b?secret_key=" + secret, "credentials"},
		{"S3 with an unknown secret", "s3://b?" + secret + "=1", "credentials"},
		{"S3 with a parameter twice", "s3://b?region=x&region=" + secret, ""},
		{"S3 with a bad prefix", "s3://b?region=x&prefix=../" + secret, ""},
		{"S3 with an empty name in its prefix", "s3://b?region=x&prefix=a//" + secret, ""},
		{"S3 with a bad flag", "s3://b?region=x&path_style=" + secret, ""},
		{"S3 with a bad flag of checksums", "s3://b?region=x&checksums=" + secret, ""},
		{"S3 with an endpoint that is no URL", "s3://b?endpoint=" + secret, ""},
		{"S3 with a password in the endpoint", "s3://b?endpoint=http://a:" + secret + "@host", ""},
		{"S3 with credentials that are not there", "s3://b?region=x&credentials=/" + secret, "aws_access_key_id"},
		{"S3 with credentials without a key", "s3://b?region=x&credentials=" + empty, "aws_access_key_id"},
		{"Azure without a container", "azblob:///" + secret, "azblob://bucket"},
		{"Azure with an unknown parameter", "azblob://c?key=" + secret, "storage_account"},
		{"Azure with a bad prefix", "azblob://c?prefix=./" + secret, ""},
		{"Azure with a bad protocol", "azblob://c?storage_account=a&protocol=" + secret, "AZURE_STORAGE_KEY"},
		{"a folder on another machine", "file://" + secret + "/data", "file:///"},
		{"a relative folder", "file:" + secret, "file:///"},
		{"a folder with parameters", "file:///tmp?" + secret, "file:///"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f, err := files.Open(t.Context(), files.Config{URL: test.url})
			if err == nil {
				t.Fatalf("opened as %s", f)
			}
			told := fault.As(err)
			if told.Kind != fault.Invalid || !strings.Contains(told.Hint, test.hint) {
				t.Errorf("told %v with the hint %q, want one about %q", err, told.Hint, test.hint)
			}
			if strings.Contains(err.Error()+told.Hint, secret) {
				t.Errorf("the secret is repeated: %v (%s)", err, told.Hint)
			}
		})
	}
}

func FuzzURL(f *testing.F) {
	for _, url := range []string{
		"s3://b?region=x", "s3://b?endpoint=http://h&prefix=a/b", "azblob://c?domain=d", "gs://b", "x", "", "s3://u:p@b", "s3://b?path_style=1",
	} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		if url == "" || strings.HasPrefix(strings.ToLower(url), "file:") {
			return // it would make folders
		}
		place, err := files.Open(t.Context(), files.Config{URL: url})
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%q: %v", url, err)
			}
			return
		}
		if err := place.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Without a parameter for them the keys come from where Amazon's own tools take them.
func TestKeysOfTheEnvironment(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	if _, err := files.Open(t.Context(), files.Config{URL: "s3://b"}); err == nil || !strings.Contains(fault.As(err).Hint, "AWS_REGION") {
		t.Errorf("without a region: %v", err)
	}
	server := s3test.Start(t)
	plain := "s3://" + server.Bucket + "?checksums=false&endpoint=" + server.Endpoint
	t.Run("variables", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
		t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
		f := open(t, files.Config{URL: plain})
		if err := f.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		if key, size, err := f.Save(t.Context(), "uploads", &endless{size: 11 << 20}); err != nil || size != 11<<20 {
			t.Errorf("saved %q, %d, %v", key, size, err)
		}
	})
	t.Run("shared file", func(t *testing.T) {
		t.Setenv("AWS_SHARED_CREDENTIALS_FILE", server.Credentials)
		if err := open(t, files.Config{URL: plain + "&profile=default"}).Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
