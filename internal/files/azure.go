package files

import (
	"context"
	"io"

	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"
)

// openAzure opens a container of Azure Blob Storage. Who we are comes from the environment, as
// Azure's own tools have it. Blocks that make no blob are forgotten by the service after a week.
func openAzure(ctx context.Context, a *address) (*bucket, error) {
	name, err := a.bucket()
	if err != nil {
		return nil, err
	}
	if err := a.only("prefix", "storage_account", "domain", "protocol"); err != nil {
		return nil, err
	}
	prefix, err := a.prefix()
	if err != nil {
		return nil, err
	}
	options, err := azureOptions(a)
	if err != nil {
		return nil, err
	}
	opened, err := azureContainer(ctx, options, name)
	if err != nil {
		// The cause may quote what is in the environment: it is not repeated.
		return nil, invalid("the container of the file storage cannot be opened").
			WithHint("set AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or AZURE_STORAGE_CONNECTION_STRING, or give the machine an identity")
	}
	b := &bucket{Bucket: prefixed(opened, prefix), name: "container azblob://" + name + "/" + prefix}
	b.keep = func(ctx context.Context, key string, r io.Reader) (size int64, sent bool, err error) {
		body := &counted{r: r}
		// Not NewWriter: the writer that it gives panics if it is closed after a failure.
		err = b.Upload(ctx, key, body, &blob.WriterOptions{ContentType: contentType, BufferSize: partSize, MaxConcurrency: 1})
		return body.size, true, err
	}
	return b, nil
}

// azureOptions are what the environment says and, over it, what the URL says. A token of the
// environment is a part of the service's address: it is not sent where the URL says.
func azureOptions(a *address) (*azureblob.ServiceURLOptions, error) {
	options := azureblob.NewDefaultServiceURLOptions()
	for name, option := range map[string]*string{
		"storage_account": &options.AccountName, "domain": &options.StorageDomain, "protocol": &options.Protocol,
	} {
		value := a.query.Get(name)
		if value == "" {
			continue
		}
		if options.SASToken != "" {
			return nil, invalid("the URL of the file storage gives %s while AZURE_STORAGE_SAS_TOKEN is set", name).
				WithHint("set AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_DOMAIN and AZURE_STORAGE_PROTOCOL beside the token instead")
		}
		*option = value
	}
	return options, nil
}

func azureContainer(ctx context.Context, options *azureblob.ServiceURLOptions, name string) (*blob.Bucket, error) {
	service, err := azureblob.NewServiceURL(options)
	if err != nil {
		return nil, err
	}
	client, err := azureblob.NewDefaultClient(service, azureblob.ContainerName(name))
	if err != nil {
		return nil, err
	}
	return azureblob.OpenBucket(ctx, client, nil)
}

// counted is a reader that counts.
type counted struct {
	r    io.Reader
	size int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.size += int64(n)
	return n, err
}

func prefixed(b *blob.Bucket, prefix string) *blob.Bucket {
	if prefix == "" {
		return b
	}
	return blob.PrefixedBucket(b, prefix)
}
