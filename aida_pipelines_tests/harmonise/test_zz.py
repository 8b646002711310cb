import os
from aida_pipelines.harmonise import stage
import polars as pl, time
def test_all(zone, dev, contracts):
    t=time.time()
    bad=[];ps=[]
    from aida_pipelines.dicom.attributes import Attributes
    from aida_pipelines.dicom.parse import parse_file
    for p in sorted(dev.rglob("*")):
        if p.is_file():
            try:
                a=Attributes(parse_file(p.read_bytes()))
                if a.first("SOPInstanceUID") and a.first("SeriesInstanceUID") and a.first("SOPClassUID") and a.first("StudyInstanceUID"): ps.append(p)
                else: bad.append(p.name)
            except Exception as e: bad.append((p.name,type(e).__name__))
    print(bad)
    zone.deliver(ps); print(len(ps),time.time()-t); t=time.time()
    r=stage.run("norr_20261124_1",refined=zone.store,contracts=contracts,work_dir=zone.work)
    print(time.time()-t); print(r.counts,r.reasons,r.figures)
    pl.Config(tbl_rows=300,tbl_cols=50,fmt_str_lengths=40,tbl_width_chars=260)
    s=pl.read_parquet(zone.store.uri(r.table("series").key))
    print(s.select("modality","manufacturer","series_description","body_part","sequence_type","plane","acquisition_class","instances","frames","geometry_verdict","geometry_reason","volume_reason","preview_reason").sort("modality","geometry_verdict"))
    print(pl.read_parquet(zone.store.uri(r.table("volumes").key)).select("modality","shape","spacing_mm","dtype","unit","slope","minimum","maximum","resampling"))
    print(pl.read_parquet(zone.store.uri(r.table("unmapped_terms").key)))
    print(pl.read_parquet(zone.store.uri(r.table("studies").key)).head(3)); print(pl.read_parquet(zone.store.uri(r.table("subjects").key)).head(3))
    import shutil; shutil.rmtree("/tmp/refined",ignore_errors=True); shutil.copytree(zone.store.root,"/tmp/refined")
