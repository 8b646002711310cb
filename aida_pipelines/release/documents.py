"""What is said of a release, for people and for machines, all from its ``release.json`` and its contract.

``README.md``         dataset card
``CHANGELOG.md``      what changed from version to version
``croissant.json``    Croissant 1.0, https://docs.mlcommons.org/croissant/docs/croissant-spec.html
``datacite.json``     DataCite Metadata Schema 4.6, https://datacite-metadata-schema.readthedocs.io/
``healthdcat.jsonld`` HealthDCAT-AP, https://healthdcat-ap.github.io/

Nothing here is written by hand for one dataset, and nothing is said that the release doesn't show. Counts of persons
are given for the whole only: small cells are the disclosure control's matter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from aida_pipelines.client.difference import TableDifference
from aida_pipelines.client.release import Release, ReleaseTable
from aida_pipelines.contracts.collection import Collection
from aida_pipelines.contracts.table import TableContract

_ACCESS = {
    "open": "Anyone may download it.",
    "registered": "Anyone who has signed the hub's data use agreement may download it.",
    "controlled": "The copyright holder decides on each request.",
}
_RIGHTS = {
    "open": "http://publications.europa.eu/resource/authority/access-right/PUBLIC",
    "registered": "http://publications.europa.eu/resource/authority/access-right/RESTRICTED",
    "controlled": "http://publications.europa.eu/resource/authority/access-right/NON_PUBLIC",
}
_PARQUET = "application/vnd.apache.parquet"


@dataclass(frozen=True)
class Figures:
    """What the documents count, over the release's series.

    Attributes:
        modalities: Modality → series.
        scanners: Manufacturer and model → series.
    """

    modalities: Mapping[str, int]
    scanners: Mapping[str, int]


@dataclass(frozen=True)
class Facts:
    """Everything that the documents are made from.

    Attributes:
        release: The release; its ``files`` don't matter here.
        ancestors: The releases before it, newest first.
        collection: The collection's contract.
        tables: Table → contract of its columns.
        figures: What is counted for the card.
        previews: Files with pictures, relative to the release's folder.
    """

    release: Release
    ancestors: Sequence[Release]
    collection: Collection
    tables: Mapping[str, TableContract]
    figures: Figures
    previews: Sequence[str]


def documents(facts: Facts) -> dict[str, bytes]:
    """Every document of a release: file → bytes."""
    return {
        "README.md": _card(facts).encode(),
        "CHANGELOG.md": _changelog([facts.release, *facts.ancestors]).encode(),
        "croissant.json": _json(_croissant(facts)),
        "datacite.json": _json(_datacite(facts)),
        "healthdcat.jsonld": _json(_healthdcat(facts)),
    }


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


# --- README.md ----------------------------------------------------------------------------------------------


def _card(facts: Facts) -> str:
    release, about = facts.release, facts.collection.release
    name = f"{release.name}@{release.version}"
    figures = [{"": what, "count": f"{n:,}"} for what, n in release.counts.items()]
    series = [{"modality": key, "series": f"{n:,}"} for key, n in facts.figures.modalities.items()]
    scanners = [{"scanner": key, "series": f"{n:,}"} for key, n in facts.figures.scanners.items()]
    steps = [
        {
            "step": step.name,
            "why": step.description,
            **{what: f"{getattr(step, what):,}" for what in ("subjects", "studies", "series", "instances")},
        }
        for step in release.attrition
    ]
    tables = [
        {"table": f"`{t.file}`", "rows": f"{t.rows:,}", "what a row is": facts.tables[t.name].description}
        for t in release.tables
    ]
    approvals = [{"kind": a.kind, "decision": a.id, "holds until": a.valid_until} for a in release.approvals]
    sites = sorted({used.site for used in release.deliveries if used.instances})
    parts = [
        f"# {release.title}",
        f"`{name}`, released {release.released_at:%Y-%m-%d}.",
        release.description,
        "## What is in it",
        _table(figures),
        f"{release.bytes:,} bytes, from {len(sites)} site(s): {', '.join(sites)}. Forms: {', '.join(release.forms)}.",
        _table(series),
        _table(scanners),
        "## How it was selected",
        _table(steps),
        *(
            [
                f"{len(release.left_out)} delivery(ies) of the collection were not checked completely and are left out."
            ]
            if release.left_out
            else []
        ),
        "## Tables",
        _table(tables),
        "## How it was de-identified",
        f"By profile `{facts.collection.deid_profile}` {release.contracts[f'deid/{facts.collection.deid_profile}']}. "
        "UIDs are remapped and dates are moved by an offset of each subject: intervals within a subject hold, dates "
        "between subjects do not compare.",
        "## Known limits",
        "Series were taken as the sites made them: scanners, protocols and sites are not balanced. The table "
        "`quality` says of every series and volume what was measured, and which bounds were missed.",
        "## Use",
        f"Licence: {release.licence}. Access: {release.tier}. {_ACCESS[release.tier]}",
        f"```\naida pull {name} DEST\naida verify {name}\n```",
        "## Cite as",
        _citation(facts),
        "## Who answers for it",
        f"Published by {about.publisher}; copyright holder {about.copyright_holder}; contact {about.contact.name} "
        f"<{about.contact.email}>. Signed off by {release.sign_off}.",
        _table(approvals),
        *(["## Pictures", *(f"![preview]({file})" for file in facts.previews)] if facts.previews else []),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(rows: Sequence[Mapping[str, object]]) -> str:
    if not rows:
        return ""
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([_cell(row[name]) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _citation(facts: Facts) -> str:
    about, release = facts.collection.release, facts.release
    authors = "; ".join(creator.name for creator in about.creators)
    title = f"{release.title} (version {release.version}) [Data set]"
    return f"{authors} ({release.released_at:%Y}). {title}. {about.publisher}."


# --- CHANGELOG.md -------------------------------------------------------------------------------------------


def _changelog(releases: Sequence[Release]) -> str:
    parts = ["# Changelog"]
    for release in releases:
        parts.append(f"## {release.version}, {release.released_at:%Y-%m-%d}")
        parts.append("\n".join(f"- {line}" for line in _changes(release)))
    return "\n\n".join(parts) + "\n"


def _changes(release: Release) -> list[str]:
    if release.change is None:
        return ["First release."]
    change = release.change
    lines = [
        *(f"`{table}`: new table." for table in change.tables_added),
        *(f"`{table}`: table taken out." for table in change.tables_removed),
    ]
    for table, found in change.tables.items():
        lines.append(f"`{table}`: {', '.join(_words(found))}.")
    return lines or ["The description of the dataset was corrected; its data are the same."]


def _words(found: TableDifference) -> list[str]:
    counts = {"added": found.rows_added, "removed": found.rows_removed, "changed": found.rows_changed}
    columns = {
        "new": found.columns_added,
        "taken out": found.columns_removed,
        "of another type": found.columns_changed,
    }
    return [
        *(f"{n:,} rows {what}" for what, n in counts.items() if n),
        *(f"columns {what}: {', '.join(names)}" for what, names in columns.items() if names),
    ]


# --- croissant.json -----------------------------------------------------------------------------------------

_CROISSANT_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def _croissant(facts: Facts) -> dict[str, Any]:
    release, about = facts.release, facts.collection.release
    return {
        "@context": _CROISSANT_CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": release.name,
        "alternateName": release.title,
        "description": release.description,
        "version": release.version,
        "license": release.licence,
        "url": _urn(release),
        "datePublished": f"{release.released_at:%Y-%m-%d}",
        "creator": [_schema_org(creator) for creator in about.creators],
        "publisher": {"@type": "sc:Organization", "name": about.publisher},
        "keywords": list(about.keywords),
        "citeAs": _citation(facts),
        "isLiveDataset": False,
        "distribution": [_file_object(table) for table in release.tables],
        "recordSet": [_record_set(table, facts.tables[table.name]) for table in release.tables],
    }


def _file_object(table: ReleaseTable) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": table.file,
        "name": table.file,
        "contentUrl": table.file,
        "contentSize": f"{table.bytes} B",
        "encodingFormat": _PARQUET,
        "sha256": table.sha256,
    }


def _record_set(table: ReleaseTable, contract: TableContract) -> dict[str, Any]:
    arrow = contract.arrow_schema
    return {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": contract.description,
        "key": [{"@id": f"{table.name}/{name}"} for name in contract.primary_key],
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{table.name}/{column.name}",
                "name": column.name,
                "description": f"{column.description} [{column.unit}]" if column.unit else column.description,
                "dataType": _data_type(arrow.field(column.name).type),
                **({"repeated": True} if pa.types.is_list(arrow.field(column.name).type) else {}),
                "source": {"fileObject": {"@id": table.file}, "extract": {"column": column.name}},
            }
            for column in contract.columns
        ],
    }


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return _data_type(kind.value_type)
    return {"int64": "sc:Integer", "double": "sc:Float", "bool": "sc:Boolean", "date32[day]": "sc:Date"}.get(
        str(kind), "sc:Text"
    )


def _schema_org(creator: Any) -> dict[str, Any]:
    person: dict[str, Any] = {"@type": "sc:Person", "name": creator.name, "affiliation": creator.affiliation}
    return person | ({"@id": f"https://orcid.org/{creator.orcid}"} if creator.orcid else {})


def _urn(release: Release) -> str:
    """A name, not an address: where a zone is served from is not known when a release is made."""
    return f"urn:aida:{release.name}:{release.version}"


# --- datacite.json ------------------------------------------------------------------------------------------


def _datacite(facts: Facts) -> dict[str, Any]:
    release, about = facts.release, facts.collection.release
    return {
        "schemaVersion": "http://datacite.org/schema/kernel-4",
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Medical images"},
        "titles": [{"title": release.title}],
        "creators": [
            {
                "name": creator.name,
                "affiliation": [{"name": creator.affiliation}],
                **(
                    {
                        "nameIdentifiers": [
                            {
                                "nameIdentifier": f"https://orcid.org/{creator.orcid}",
                                "nameIdentifierScheme": "ORCID",
                                "schemeUri": "https://orcid.org",
                            }
                        ]
                    }
                    if creator.orcid
                    else {}
                ),
            }
            for creator in about.creators
        ],
        "contributors": [
            {"name": about.copyright_holder, "contributorType": "RightsHolder"},
            {"name": about.contact.name, "contributorType": "ContactPerson"},
        ],
        "publisher": {"name": about.publisher},
        "publicationYear": release.released_at.year,
        "dates": [{"date": f"{release.released_at:%Y-%m-%d}", "dateType": "Issued"}],
        "version": release.version,
        "language": "en",
        "subjects": [{"subject": word} for word in about.keywords],
        "rightsList": [{"rights": release.licence}],
        "descriptions": [{"description": release.description, "descriptionType": "Abstract"}],
        "sizes": [f"{release.bytes} bytes", *(f"{n} {what}" for what, n in release.counts.items())],
        "formats": [_PARQUET, *(_MEDIA_TYPES[form] for form in release.forms)],
        "alternateIdentifiers": [
            {"alternateIdentifier": f"{release.name}@{release.version}", "alternateIdentifierType": "aida"}
        ],
    }


_MEDIA_TYPES = {"dicom": "application/dicom", "nifti": "application/gzip", "previews": "image/png"}


# --- healthdcat.jsonld --------------------------------------------------------------------------------------


def _healthdcat(facts: Facts) -> dict[str, Any]:
    release, about = facts.release, facts.collection.release
    return {
        "@context": {
            "adms": "http://www.w3.org/ns/adms#",
            "dcat": "http://www.w3.org/ns/dcat#",
            "dct": "http://purl.org/dc/terms/",
            "foaf": "http://xmlns.com/foaf/0.1/",
            "healthdcatap": "http://healthdataportal.eu/ns/health#",
            "spdx": "http://spdx.org/rdf/terms#",
            "vcard": "http://www.w3.org/2006/vcard/ns#",
            "xsd": "http://www.w3.org/2001/XMLSchema#",
        },
        "@id": _urn(release),
        "@type": "dcat:Dataset",
        "dct:identifier": f"{release.name}@{release.version}",
        "dct:title": {"@value": release.title, "@language": "en"},
        "dct:description": {"@value": release.description, "@language": "en"},
        "dct:issued": {"@value": f"{release.released_at:%Y-%m-%d}", "@type": "xsd:date"},
        "dcat:version": release.version,
        "dcat:keyword": [{"@value": word, "@language": "en"} for word in about.keywords],
        "dcat:theme": {"@id": "http://publications.europa.eu/resource/authority/data-theme/HEAL"},
        "dct:accessRights": {"@id": _RIGHTS[release.tier]},
        "dct:publisher": {"@type": "foaf:Agent", "foaf:name": about.publisher},
        "dct:creator": [{"@type": "foaf:Agent", "foaf:name": creator.name} for creator in about.creators],
        "dcat:contactPoint": {
            "@type": "vcard:Kind",
            "vcard:fn": about.contact.name,
            "vcard:hasEmail": {"@id": f"mailto:{about.contact.email}"},
        },
        "healthdcatap:numberOfRecords": {
            "@value": release.counts["series"],
            "@type": "xsd:nonNegativeInteger",
        },
        "healthdcatap:numberOfUniqueIndividuals": {
            "@value": release.counts["subjects"],
            "@type": "xsd:nonNegativeInteger",
        },
        "dcat:distribution": [
            {
                "@type": "dcat:Distribution",
                "dct:title": table.file,
                "dcat:mediaType": {"@id": f"https://www.iana.org/assignments/media-types/{_PARQUET}"},
                "dcat:byteSize": {"@value": table.bytes, "@type": "xsd:nonNegativeInteger"},
                "dct:license": release.licence,
                "spdx:checksum": {
                    "@type": "spdx:Checksum",
                    "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
                    "spdx:checksumValue": table.sha256,
                },
            }
            for table in release.tables
        ],
    }
