//! Measures of pictures, acknowledged findings and edits of captions, on both databases.

use protocol::{
    DatasetId, ItemId, OwnerId,
    caption_edit::CaptionOperation,
    dataset::{PanelOf, Showing, Split},
    finding::{FindingCode, Measures},
};
use store::{
    StoreError,
    datasets::{self, AddedItem, CaptionChange, NewItem},
};

use crate::fixture::TestStore;

/// A dataset with a picture for each caption.
async fn filled(test: &TestStore, captions: &[&str]) -> anyhow::Result<(DatasetId, Vec<ItemId>)> {
    let (id, owner) = (test.dataset().await?, test.owner());
    let tx = test.store.begin().await?;
    let mut items = Vec::new();
    for (seed, caption) in (1_u8..).zip(captions) {
        let picture = NewItem {
            file_name: format!("{seed}.png"),
            caption: (*caption).to_owned(),
            split: Split::Train,
            showing: Showing::default(),
            width: 128,
            height: 96,
            size_bytes: 1234,
            sha256: hex::encode([seed; 32]),
            notes: Vec::new(),
        };
        let AddedItem::Added(item) = datasets::add_item(&tx, owner, id, picture).await? else {
            anyhow::bail!("each picture is another one");
        };
        items.push(item.id);
    }
    tx.commit().await?;
    Ok((id, items))
}

async fn captions(test: &TestStore, id: DatasetId) -> anyhow::Result<Vec<String>> {
    let items = datasets::items(&test.store, test.owner(), id).await?;
    Ok(items.into_iter().map(|item| item.caption).collect())
}

fn change(item: ItemId, before: &str, after: &str) -> CaptionChange {
    CaptionChange {
        item,
        before: before.to_owned(),
        after: after.to_owned(),
    }
}

pub(crate) async fn keep_measures_to_the_last_bit(test: TestStore) -> anyhow::Result<()> {
    let (id, items) = filled(&test, &["a", "b"]).await?;
    let owner = test.owner();
    assert!(datasets::measures(&test.store, owner, id).await?.is_empty());
    let measures = Measures {
        sharpness: Some(873),
        darkest: 3,
        brightest: 250,
        frame: [0, 40, 0, 41],
        signs: u64::MAX - 1,
        strong: 0x8000_0000_0000_0001,
        page: Some(true),
    };
    let tx = test.store.begin().await?;
    datasets::set_measures(&tx, id, items[1], &measures).await?;
    tx.commit().await?;
    let kept = datasets::measures(&test.store, owner, id).await?;
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), [(items[1], measures)]);
    let listed = datasets::items(&test.store, owner, id).await?;
    let sharpness: Vec<Option<u16>> = listed.iter().map(|item| item.sharpness).collect();
    assert_eq!(sharpness, [None, Some(873)]);
    let hidden = datasets::measures(&test.store, OwnerId::new(), id).await;
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    Ok(())
}

pub(crate) async fn list_pictures_page_by_page(test: TestStore) -> anyhow::Result<()> {
    let (id, items) = filled(&test, &["a", "b", "c"]).await?;
    let page = async |after, n| -> anyhow::Result<Vec<ItemId>> {
        let found = datasets::items_after(&test.store, test.owner(), id, after, n).await?;
        Ok(found.into_iter().map(|item| item.id).collect())
    };
    assert_eq!(page(None, 2).await?, items[..2]);
    assert_eq!(page(Some(items[1]), 2).await?, items[2..]);
    assert_eq!(page(Some(items[2]), 2).await?, Vec::<ItemId>::new());
    let hidden = datasets::items_after(&test.store, OwnerId::new(), id, None, 2).await;
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    Ok(())
}

pub(crate) async fn know_the_panels_of_pages(test: TestStore) -> anyhow::Result<()> {
    let (id, items) = filled(&test, &["zora", "zora", "zora"]).await?;
    let owner = test.owner();
    let panel = |number| PanelOf {
        page_id: items[0],
        number,
    };
    let tx = test.store.begin().await?;
    datasets::set_panel(&tx, items[1], panel(2), "zora").await?;
    datasets::set_panel(&tx, items[2], panel(1), "before").await?;
    tx.commit().await?;
    let known = datasets::panels(&test.store, owner, id, items[0]).await?;
    let known: Vec<(ItemId, bool)> = known.iter().map(|panel| (panel.id, panel.is_edited)).collect();
    assert_eq!(known, [(items[2], true), (items[1], false)]);
    let listed = datasets::items(&test.store, owner, id).await?;
    let shown: Vec<_> = listed.iter().map(|item| (item.set_aside, item.panel)).collect();
    assert_eq!(
        shown,
        [(true, None), (false, Some(panel(2))), (false, Some(panel(1)))]
    );
    // The page is known from a part of the list as well.
    let first = datasets::items_after(&test.store, owner, id, None, 1).await?;
    assert!(first[0].set_aside);

    let tx = test.store.begin().await?;
    datasets::delete_item(&tx, owner, id, items[0]).await?;
    tx.commit().await?;
    let left = datasets::items(&test.store, owner, id).await?;
    assert!(left.iter().all(|item| item.panel.is_none() && !item.set_aside));
    Ok(())
}

pub(crate) async fn acknowledge_a_content_once(test: TestStore) -> anyhow::Result<()> {
    let (id, _) = filled(&test, &["a"]).await?;
    let owner = test.owner();
    for _ in 0..2 {
        let tx = test.store.begin().await?;
        datasets::acknowledge(&tx, owner, id, FindingCode::Blurred, "abc").await?;
        tx.commit().await?;
    }
    let kept = datasets::acknowledged(&test.store, owner, id).await?;
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), ["abc"]);
    Ok(())
}

pub(crate) async fn edit_captions_that_nobody_changed_meanwhile(test: TestStore) -> anyhow::Result<()> {
    let (id, items) = filled(&test, &["a", "b"]).await?;
    let owner = test.owner();
    let operation = CaptionOperation::AddFirst { text: "zora".into() };
    let changes = [change(items[0], "a", "zora, a"), change(items[1], "b", "zora, b")];
    let tx = test.store.begin().await?;
    assert_eq!(datasets::set_captions(&tx, owner, id, &changes).await?, []);
    let edit = datasets::keep_caption_edit(&tx, owner, id, &operation, &changes).await?;
    tx.commit().await?;
    assert_eq!(captions(&test, id).await?, ["zora, a", "zora, b"]);
    assert_eq!(
        (edit.n_changed, edit.description.as_str()),
        (2, "Put `zora` first")
    );

    let (found, kept) = datasets::find_caption_edit(&test.store, owner, id, edit.id).await?;
    assert_eq!((found.operation, found.undone_at), (operation, None));
    assert_eq!(kept, changes);

    // The second is somebody's later words.
    let tx = test.store.begin().await?;
    let later = [change(items[1], "zora, b", "mine")];
    assert_eq!(datasets::set_captions(&tx, owner, id, &later).await?, []);
    let back = [change(items[0], "zora, a", "a"), change(items[1], "zora, b", "b")];
    assert_eq!(datasets::set_captions(&tx, owner, id, &back).await?, [items[1]]);
    let undone = datasets::undo_caption_edit(&tx, owner, id, edit.id).await?;
    assert!(undone.undone_at.is_some());
    tx.commit().await?;
    assert_eq!(captions(&test, id).await?, ["a", "mine"]);
    Ok(())
}

pub(crate) async fn keep_the_newest_edits(test: TestStore) -> anyhow::Result<()> {
    let (id, items) = filled(&test, &["a"]).await?;
    let owner = test.owner();
    for n in 0..52 {
        let operation = CaptionOperation::AddLast { text: n.to_string() };
        let tx = test.store.begin().await?;
        datasets::keep_caption_edit(&tx, owner, id, &operation, &[change(items[0], "a", "b")]).await?;
        tx.commit().await?;
    }
    let kept = datasets::list_caption_edits(&test.store, owner, id).await?;
    assert_eq!(kept.len(), 50);
    assert_eq!(kept[0].description, "Put `51` last");
    assert_eq!(kept[49].description, "Put `2` last");

    let tx = test.store.begin().await?;
    datasets::delete(&tx, owner, id).await?;
    tx.commit().await?;
    Ok(())
}
