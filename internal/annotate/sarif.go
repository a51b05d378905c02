package annotate

import (
	"io"
	"net/url"
	"path"
	"strings"

	"github.com/replank/replank/lint"
)

// SARIF 2.1.0, as much of it as GitHub, Azure DevOps and editors read.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		ColumnKind  string            `json:"columnKind"`
		Automation  sarifAutomation   `json:"automationDetails"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifAutomation struct {
		ID string `json:"id"`
	}
	sarifInvocation struct {
		Successful bool `json:"executionSuccessful"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifRule struct {
		ID         string          `json:"id"`
		Name       string          `json:"name"`
		Short      sarifText       `json:"shortDescription"`
		Full       sarifText       `json:"fullDescription"`
		Help       sarifText       `json:"help"`
		Default    sarifLevel      `json:"defaultConfiguration"`
		Properties sarifProperties `json:"properties"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifProperties struct {
		Tags     []string `json:"tags"`
		Severity string   `json:"problem.severity"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI  string `json:"uri"`
		Base string `json:"uriBaseId,omitempty"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
		EndLine     int `json:"endLine"`
		EndColumn   int `json:"endColumn,omitempty"`
	}
)

// GitHub takes 25,000 results of a run and shows 5,000.
const mostResults = 25_000

// longestText is what GitHub shows of a description.
const longestText = 1024

func writeSARIF(w io.Writer, d *Document) error {
	run := sarifRun{
		ColumnKind:  "utf16CodeUnits",
		Automation:  sarifAutomation{ID: "replank-lint/"},
		Invocations: []sarifInvocation{{Successful: !d.Unjudged}},
		Results:     []sarifResult{},
	}
	run.Tool.Driver = sarifDriver{Name: "replank", Version: d.Version, InformationURI: "https://github.com/replank/replank", Rules: []sarifRule{}}
	index := map[string]int{}
	for i, r := range d.Rules {
		index[r.ID] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(r))
	}
	for _, f := range d.worstFirst()[:min(len(d.Findings), mostResults)] {
		run.Results = append(run.Results, sarifResult{
			RuleID: f.Rule, RuleIndex: index[f.Rule], Level: sarifLevelOf(f.Severity),
			Message:   sarifText{Text: strings.Join(append([]string{f.Message}, f.Why...), "\n")},
			Locations: []sarifLocation{{sarifPhysical{sarifArtifactOf(f.Path), f.region()}}},
			Fingerprints: map[string]string{
				"primaryLocationLineHash": f.Fingerprint + ":1", // the name that GitHub looks for
				"replank/v1":              f.Fingerprint,
			},
		})
	}
	return encode(w, sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

func (f Finding) region() sarifRegion {
	r := sarifRegion{StartLine: max(1, f.Pos.Line), StartColumn: max(1, f.startUTF16)}
	r.EndLine = max(r.StartLine, f.End.Line)
	if r.EndLine > r.StartLine || f.endUTF16 > r.StartColumn {
		r.EndColumn = f.endUTF16
	}
	return r
}

func sarifRuleOf(r lint.Rule) sarifRule {
	return sarifRule{
		ID: r.ID, Name: r.ID, Short: sarifText{Text: clip(r.Title, longestText)}, Full: sarifText{Text: clip(r.Doc, longestText)},
		Help: sarifText{Text: clip(RuleText(r), longestText), Markdown: RuleMarkdown(r)}, Default: sarifLevel{sarifLevelOf(r.Severity)},
		Properties: sarifProperties{Tags: []string{"postgresql", "migrations", r.Family}, Severity: sarifProblem(r.Severity)},
	}
}

func sarifLevelOf(s lint.Severity) string {
	if s == lint.Notice {
		return "note"
	}
	return s.String()
}

// sarifProblem is GitHub's word for a severity.
func sarifProblem(s lint.Severity) string {
	if s == lint.Notice {
		return "recommendation"
	}
	return s.String()
}

func sarifArtifactOf(p string) sarifArtifact {
	if path.IsAbs(p) {
		return sarifArtifact{URI: (&url.URL{Scheme: "file", Path: p}).String()}
	}
	// A first part with a colon would be a scheme.
	return sarifArtifact{URI: strings.TrimPrefix((&url.URL{Path: p}).String(), "./"), Base: "%SRCROOT%"}
}

// clip shortens a text to n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	cut := n - len("…")
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
