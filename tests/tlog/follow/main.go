// A client of other people's libraries against our log: follow URL POLICY TOKEN [PROOF ENTRY]
//
// It verifies the log's checkpoint under the policy, reads every entry with the bearer token, authenticated by the tiles,
// and checks the proof file of an entry. It prints the size of the tree, and ends with 0 if all of that holds.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

type bearer struct{ token string }

func (b bearer) RoundTrip(request *http.Request) (*http.Response, error) {
	if b.token != "" {
		request = request.Clone(request.Context())
		request.Header.Set("Authorization", "Bearer "+b.token)
	}
	return http.DefaultTransport.RoundTrip(request)
}

func checkpoint(url string, policy torchwood.Policy) (torchwood.Checkpoint, error) {
	answer, err := http.Get(url + "/checkpoint")
	if err != nil {
		return torchwood.Checkpoint{}, err
	}
	defer answer.Body.Close()
	if origin := answer.Header.Get("Access-Control-Allow-Origin"); origin != "*" {
		return torchwood.Checkpoint{}, fmt.Errorf("CORS: %q", origin)
	}
	signed, err := io.ReadAll(answer.Body)
	if err != nil {
		return torchwood.Checkpoint{}, err
	}
	shown, _, err := torchwood.VerifyCheckpoint(signed, policy)
	return shown, err
}

func run(url, policyFile, token string, proved []string) error {
	text, err := os.ReadFile(policyFile)
	if err != nil {
		return err
	}
	policy, err := torchwood.ParsePolicy(text)
	if err != nil {
		return err
	}
	shown, err := checkpoint(url, policy)
	if err != nil {
		return err
	}
	fetcher, err := torchwood.NewTileFetcher(url, torchwood.WithHTTPClient(&http.Client{Transport: bearer{token}}))
	if err != nil {
		return err
	}
	client, err := torchwood.NewClient(fetcher)
	if err != nil {
		return err
	}
	var entries int64
	for range client.AllEntries(context.Background(), shown.Tree, 0) {
		entries++
	}
	if err := client.Err(); err != nil {
		return err
	}
	if entries != shown.N {
		return fmt.Errorf("%d entries in a tree of %d", entries, shown.N)
	}
	if len(proved) == 2 {
		proof, err := os.ReadFile(proved[0])
		if err != nil {
			return err
		}
		entry, err := os.ReadFile(proved[1])
		if err != nil {
			return err
		}
		if err := torchwood.VerifyProof(policy, tlog.RecordHash(entry), proof); err != nil {
			return err
		}
		if torchwood.VerifyProof(policy, tlog.RecordHash(append(entry, ' ')), proof) == nil {
			return errors.New("the proof holds for another entry too")
		}
	}
	fmt.Println(shown.N)
	return nil
}

func main() {
	if len(os.Args) != 4 && len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "follow URL POLICY TOKEN [PROOF ENTRY]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
