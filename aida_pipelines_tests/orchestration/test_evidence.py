"""What a steward reads in the UI of a delivery's de-identification."""

from aida_pipelines.deid.evidence import Evidence, read_report, report_key
from aida_pipelines.demo.deliveries import demo_identifiers
from aida_pipelines.orchestration.evidence import of_evidence
from aida_pipelines_tests.zones import FIRST


def test_the_evidence_in_short_says_profile_verification_actions_and_where_the_report_is(zones):
    made = Evidence.model_validate_json(read_report(zones.refined, FIRST, "json"))
    at = f"{zones.refined.url}/{report_key(FIRST, 'html')}"
    facts = of_evidence(made, at=at)
    assert facts.keys() == {"profile", "verification", "what was done", "report", "report's place"}
    text = {name: str(fact.value) for name, fact in facts.items()}
    assert f"{made.statement.profile.name} {made.statement.profile.version}" in text["profile"]
    assert "(113100)" in text["profile"]
    assert f"| {made.instances} | no identifier found: passed on |" in text["verification"]
    for number in made.actions_done().values():
        assert f"| {number:,} | " in text["what was done"]
    assert f"aida report --delivery {FIRST}" in text["report"]
    assert text["report's place"] == at
    assert not [needle for needle in demo_identifiers() if needle in str(text)]
