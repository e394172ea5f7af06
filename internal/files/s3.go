package files

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob/s3blob"
)

// s3Parameters are the parameters of s3://bucket. Without them everything comes from where
// Amazon's own tools take it: the environment, the shared files, the machine.
//
//   - region: where the bucket is
//   - endpoint: the http or https URL of a service other than Amazon's
//   - prefix: what all keys begin with
//   - profile: the profile in the shared files
//   - credentials: a file with an access key, in the form of Amazon's shared credentials; what
//     the environment says of keys does not count then
//   - path_style: whether the bucket is a part of the path and not of the host; true by default
//     if there is an endpoint
//   - checksums: false for a service that does not know Amazon's newer checksums
var s3Parameters = []string{"region", "endpoint", "prefix", "profile", "credentials", "path_style", "checksums"}

// Time limits of S3. Joining the parts of a large object takes some services a while.
const (
	s3ConnectTime = 10 * time.Second
	s3AnswerTime  = 60 * time.Second
	s3IdleTime    = 60 * time.Second // without a byte either way
)

func openS3(ctx context.Context, a *address, idle time.Duration) (*bucket, error) {
	name, err := a.bucket()
	if err != nil {
		return nil, err
	}
	if err := a.only(s3Parameters...); err != nil {
		return nil, err
	}
	prefix, err := a.prefix()
	if err != nil {
		return nil, err
	}
	client, err := s3Client(ctx, a, cmp.Or(idle, s3IdleTime))
	if err != nil {
		return nil, err
	}
	opened, err := s3blob.OpenBucket(ctx, client, name, nil)
	if err != nil {
		return nil, invalid("the bucket of the file storage cannot be opened")
	}
	b := &bucket{Bucket: prefixed(opened, prefix), name: "bucket s3://" + name + "/" + prefix}
	parts := &s3Parts{client: client, bucket: name, prefix: prefix}
	b.keep, b.parts, b.dropParts = parts.keep, parts.before, parts.drop
	return b, nil
}

func s3Client(ctx context.Context, a *address, idle time.Duration) (*s3.Client, error) {
	endpoint := a.query.Get("endpoint")
	if u, err := url.Parse(endpoint); endpoint != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil) {
		return nil, invalid("the endpoint in the URL of the file storage is not an http or https URL without a name and a password")
	}
	pathStyle, err := a.flag("path_style", endpoint != "")
	if err != nil {
		return nil, err
	}
	checksums, err := a.flag("checksums", true)
	if err != nil {
		return nil, err
	}
	c, err := s3Config(ctx, a, idle)
	if err != nil {
		return nil, err
	}
	if !checksums {
		c.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		c.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}
	if c.Region == "" && endpoint == "" {
		return nil, invalid("the URL of the file storage does not say in which region the bucket is").
			WithHint("add ?region=name, or set AWS_REGION")
	}
	return s3.NewFromConfig(c, func(o *s3.Options) {
		o.UsePathStyle = pathStyle
		o.DisableLogOutputChecksumValidationSkipped = true // it would be told of every range
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
		if o.Region == "" {
			o.Region = "us-east-1" // what services other than Amazon's expect
		}
	}), nil
}

func s3Config(ctx context.Context, a *address, idle time.Duration) (aws.Config, error) {
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = s3ConnectTime }).
		WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout = s3AnswerTime
			t.DialContext = limitedDial(t.DialContext, idle)
		})
	options := []func(*config.LoadOptions) error{config.WithHTTPClient(client)}
	if region := a.query.Get("region"); region != "" {
		options = append(options, config.WithRegion(region))
	}
	profile := a.query.Get("profile")
	if path := a.query.Get("credentials"); path != "" {
		keys, err := s3Credentials(ctx, path, profile)
		if err != nil {
			return aws.Config{}, err
		}
		options = append(options, config.WithCredentialsProvider(keys))
	} else if profile != "" {
		options = append(options, config.WithSharedConfigProfile(profile))
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, invalid("the settings for S3 on this machine cannot be read").
			WithHint("look at the variables AWS_..., at the profile and at the shared files of Amazon's tools")
	}
	return c, nil
}

// s3Credentials reads an access key from a file.
func s3Credentials(ctx context.Context, path, profile string) (aws.CredentialsProvider, error) {
	if profile == "" {
		profile = config.DefaultSharedConfigProfile
	}
	found, err := config.LoadSharedConfigProfile(ctx, profile, func(o *config.LoadSharedConfigOptions) {
		o.CredentialsFiles, o.ConfigFiles = []string{path}, []string{}
	})
	if _, missing := os.Stat(path); missing != nil || err != nil || !found.Credentials.HasKeys() {
		return nil, invalid("the file with the credentials of the file storage holds no access key that can be read").
			WithHint("write the lines [%s], aws_access_key_id = ... and aws_secret_access_key = ...", profile)
	}
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return found.Credentials, nil
	}), nil
}
